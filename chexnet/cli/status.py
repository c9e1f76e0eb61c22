"""chexnet status: the platform at a glance."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

app = typer.Typer()


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Show services, what answers, what serving holds, and what the archive has.

    The exit code is 1 if a service is not well.

    Example: chexnet status --json
    """
    from chexnet.settings import Settings

    settings = Settings()
    told = {
        "services": _services(settings.service_addresses),
        "control": _or_why(lambda: _control(settings)),
        "serving": _or_why(lambda: _serving(settings)),
        "archive": _or_why(lambda: _archive(settings)),
    }
    if as_json:
        typer.echo(json.dumps(told))
    else:
        _show(told)
    if any(service["state"] != "ok" for service in told["services"].values()):
        raise typer.Exit(1)


def _or_why(look: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    from chexnet.errors import ChexnetError

    try:
        return look()
    except ChexnetError as error:
        return {"error": str(error)}


def _services(addresses: dict[str, str]) -> dict[str, dict[str, str]]:
    import httpx

    found = {}
    for name, address in addresses.items():
        try:
            body = httpx.get(f"http://{address}/healthz", timeout=2).json()
            found[name] = {"state": body["state"], "reason": body["reason"]}
        except (httpx.HTTPError, ValueError) as error:
            found[name] = {"state": "away", "reason": f"{address}: {type(error).__name__}"}
    return found


def _control(settings: Any) -> dict[str, Any]:
    import msgspec

    from chexnet.adapters.kafka import KafkaBus
    from chexnet.experiments.control import read

    bus = KafkaBus(settings)
    try:
        told: dict[str, Any] = msgspec.to_builtins(read(bus, settings.model))
        return told
    finally:
        bus.close()


def _serving(settings: Any) -> dict[str, Any]:
    from chexnet.adapters.tf_serving import TfServing

    serving = TfServing.of(settings.serving, settings.model)
    try:
        return {
            replica: {str(version): state for version, state in versions.items()}
            for replica, versions in serving.states().items()
        }
    finally:
        serving.close()


def _archive(settings: Any) -> dict[str, Any]:
    from chexnet.adapters.pachyderm import PachydermStore
    from chexnet.steps.archive import ARCHIVED

    store = PachydermStore(settings.store, settings.pipeline)
    return {
        repo: {"commit": store.head(repo), "files": len(store.list(repo, "/data"))}
        for repo in ARCHIVED
        if store.head(repo)
    }


def _show(told: dict[str, dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    services = Table("service", "state", "reason")
    for name, service in told["services"].items():
        colour = "green" if service["state"] == "ok" else "red"
        services.add_row(name, f"[{colour}]{service['state']}[/]", service["reason"])
    console.print(services)
    control = told["control"]
    if "error" in control:
        console.print(control["error"])
    else:
        experiment = (control["experiment"] or {}).get("name", "none")
        console.print(f"{_champion(control)} Experiment: {experiment}.", markup=False)
        if held := control["holdback"]:
            console.print(f"{held['share']:.0%} of patients stay on version {control['previous']}.")
    for part in ("serving", "archive"):
        for name, facts in told[part].items():
            words = facts if isinstance(facts, str) else _words(facts)
            console.print(f"{part.capitalize()} {name}: {words}")


def _champion(control: dict[str, Any]) -> str:
    if control["champion"] is None:
        return "No version answers yet. Let one: chexnet promote VERSION."
    before = f"before it {control['previous']}" if control["previous"] else "none before it"
    return f"Champion: version {control['champion']}, {before}. Revision {control['revision']}."


def _words(facts: dict[str, Any]) -> str:
    return ", ".join(f"{name} {fact}" for name, fact in facts.items()) or "nothing"
