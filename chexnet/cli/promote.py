"""chexnet promote: another version becomes the champion, if the evidence says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

if TYPE_CHECKING:
    from chexnet.messages import Control

app = typer.Typer()


@app.command()
def promote(
    version: Annotated[str, typer.Argument(help="A version, or an arm of the experiment.")],
    force: Annotated[bool, typer.Option(help="Without evidence; needs --reason.")] = False,
    reason: Annotated[str, typer.Option(help="Goes into the audit.")] = "",
    holdback: Annotated[
        float, typer.Option(help="The share of patients that stays on the champion until now.")
    ] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Make a version the champion: the one that answers.

    It must be AVAILABLE on every replica, with its golden outputs there. Unless there is no
    champion yet, it must also have won the running experiment: enough cases, and the interval of
    the difference above the margin. Otherwise it is refused (exit 3), and told what is missing.
    --force passes over evidence, never over a version that is not served.
    --holdback leaves a fixed share of patients with the version before, until the next decision or
    chexnet holdback --end: what the decision does can then be seen.

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
        unproven, evidence = at.evidence(looked, number)
        by = at.by(reason, force=force)
        unready = at.unready(number)
        control = decisions.promote(
            at.bus, looked, number, unready, unproven, evidence, by, holdback
        )
    told = f"Version {number} is the champion from revision {control.revision} on."
    if control.holdback:
        told += f" {control.holdback.share:.0%} of patients stay on version {control.previous}."
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


def _tell(control: Control, told: str, *, as_json: bool) -> None:
    typer.echo(msgspec.json.encode(control).decode() if as_json else told)
