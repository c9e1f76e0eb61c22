"""archiver: one repo's record, from its topics. CHEXNET_ARCHIVE names the repo."""

from __future__ import annotations

import os

from chexnet.adapters.kafka import KafkaBus
from chexnet.adapters.pachyderm import PachydermStore
from chexnet.errors import ConfigError
from chexnet.experiments import chain
from chexnet.runtime import health, logs
from chexnet.runtime.archiver import Archiver, by_place, sole_writer
from chexnet.runtime.stopping import on_signals, run
from chexnet.settings import Settings
from chexnet.steps.archive import ARCHIVED


def main() -> int:
    """Run until SIGTERM."""
    settings = Settings()
    repo = os.environ.get("CHEXNET_ARCHIVE", "")
    if repo not in ARCHIVED:
        rule = f"CHEXNET_ARCHIVE must be one of {', '.join(ARCHIVED)}. Received: {repo!r}."
        raise ConfigError(f"{rule} Set it in the archiver's environment.")
    name = f"archiver-{repo}"
    logs.setup(name, settings.log_level)
    with sole_writer(settings.lock(name)):
        status = health.Health(name)
        health.serve(status, settings.health)
        store = PachydermStore(settings.store, settings.pipeline)
        bus = KafkaBus(settings)
        filing = chain.Chain if repo == chain.REPO else by_place
        return Archiver(
            bus, store, repo, ARCHIVED[repo], health=status, stop=on_signals(), filing=filing
        ).run()


if __name__ == "__main__":
    run(main)
