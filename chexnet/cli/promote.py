"""chexnet promote: another version becomes the champion, if the evidence says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

if TYPE_CHECKING:
    from chexnet.cli.desk import Desk
    from chexnet.messages import Control

app = typer.Typer()


@app.command()
def promote(
    version: Annotated[str, typer.Argument(help="A version, or an arm of the experiment.")],
    force: Annotated[bool, typer.Option(help="Without evidence; needs --reason.")] = False,
    reason: Annotated[str, typer.Option(help="Goes into the audit.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Make a version the champion: the one that answers.

    It must be AVAILABLE on every replica, with its golden outputs there. Unless there is no
    champion yet, it must also have won the running experiment: enough cases, and the interval of
    the difference above the margin. Otherwise it is refused (exit 3), and told what is missing.
    --force passes over evidence, never over a version that is not served.

    Example: chexnet promote b
    """
    from chexnet.cli.desk import desk
    from chexnet.experiments import decisions

    with desk() as at:
        looked = at.control()
        number = _number(version, looked)
        if number == looked.champion:
            _tell(looked, f"Version {number} is the champion already.", as_json=as_json)
            return
        unproven, evidence = _evidence(at, looked, number)
        by = at.by(reason, force=force)
        unready = at.unready(number)
        control = decisions.promote(at.bus, looked, number, unready, unproven, evidence, by)
    told = f"Version {number} is the champion from revision {control.revision} on."
    if control.previous:
        told += f" Back to version {control.previous}: chexnet rollback"
    _tell(control, told, as_json=as_json)


def _number(version: str, control: Control) -> int:
    if version.isdecimal():
        return int(version)
    if version not in control.arms:
        arms = ", ".join(control.arms) or "none"
        rule = f"VERSION must be a number or an arm of the running experiment ({arms})."
        raise typer.BadParameter(f"{rule} Received: {version!r}. See: chexnet experiment status")
    return control.arms[version]


def _evidence(at: Desk, control: Control, version: int) -> tuple[list[str], dict[str, Any]]:
    """Return what the evidence lacks, and the evidence."""
    from chexnet import release
    from chexnet.experiments import gate

    arm = next((name for name, v in control.arms.items() if v == version), None)
    if arm is None:
        missing = gate.unevaluated(release.read(at.store, version))
        return missing + gate.uncompared(version, control), {}
    review = at.review(control)
    return list(review.arms[arm].missing), {**review.arms[arm].plain(), "read_to": review.read_to}


def _tell(control: Control, told: str, *, as_json: bool) -> None:
    typer.echo(msgspec.json.encode(control).decode() if as_json else told)
