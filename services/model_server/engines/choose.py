"""From the settings to a loader. An engine's library is imported when it is chosen."""

from __future__ import annotations

from pathlib import Path

from services.model_server.engines.base import Engine, Loader
from services.model_server.settings import ModelServerSettings


def loader(settings: ModelServerSettings) -> Loader:
    """Return what loads versions with the engine that the settings name."""
    if settings.engine == "tensorflow":
        from services.model_server.engines.tensorflow import TensorFlow, set_threads

        set_threads(settings.threads)
        return lambda version, name: TensorFlow(version, streams=settings.streams)  # noqa: ARG005

    from services.model_server.engines.openvino import OpenVino

    root = settings.cache or settings.models / ".compiled"

    def load(version: Path, name: str) -> Engine:
        return OpenVino(
            version, threads=settings.threads, streams=settings.streams, cache=root / name
        )

    return load
