"""chexnet audit: who decided what, when and why, and whether the record of it is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

if TYPE_CHECKING:
    from chexnet.cli.desk import Desk

app = typer.Typer()


@app.command()
def audit(
    after: Annotated[int, typer.Option(min=0, help="Only changes after this revision.")] = 0,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check the archived chain instead of listing it.")
    ] = False,
    head: Annotated[
        str, typer.Option(help="With --verify: the SHA-256 of a head that was kept elsewhere.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="All that is on record.")] = False,
) -> None:
    """List the changes of control, oldest first; with --verify, check that the record is whole.

    The archive is a chain: each entry has the SHA-256 of the one before. --verify follows it,
    compares it with the bus, and exits with 1 at the first entry that does not hold. Who can write
    both can make another chain, which only a head that was kept elsewhere gives away: each webhook
    brings one.

    Example: chexnet audit --after 41
    """
    from rich.markup import escape
    from rich.table import Table

    from chexnet.cli import tables
    from chexnet.cli.desk import desk
    from chexnet.experiments import decisions

    if head and not verify:
        raise typer.BadParameter("--head is what --verify looks for. Give both.")
    with desk() as at:
        if verify:
            _verify(at, head, as_json=as_json)
            return
        entries = [e for e in decisions.history(at.bus, at.model) if e.after > after]
    if as_json:
        typer.echo(msgspec.json.encode(entries).decode())
        return
    table = Table("revision", "when (UTC)", "who", "what", "champion", "reason")
    for e in entries:
        what = f"{e.action}, forced" if e.forced else e.action
        champion = str(e.control.champion or "-") if e.control else ""
        when = f"{e.at:%Y-%m-%d %H:%M:%S}"
        table.add_row(str(e.after), when, e.decided_by, what, champion, escape(e.reason))
    tables.show(table, "reason")


def _verify(at: Desk, kept: str, *, as_json: bool) -> None:
    """Say what the chain is worth; exit with 1 where it is broken or has not the head kept."""
    from chexnet.experiments import chain

    found = chain.verify(at.bus, at.store)
    broken = found.broken
    if kept and not broken and kept.lower() not in found.passed:
        rule = "The head that was kept must be an entry of the chain."
        broken = f"{rule} Received: {kept}, of none. This chain is another one, or was cut short."
    if as_json:
        told = {"head": found.head, "waiting": found.waiting, "broken": broken}
        typer.echo(msgspec.json.encode(told).decode())
    else:
        typer.echo(f"{found.head.number} entries hold. Head: {found.head.sha256}")
        if found.waiting:
            typer.echo(f"{found.waiting} on the bus are not archived yet.")
        if broken:
            typer.secho(broken, err=True, fg="red")
        else:
            typer.echo("Keep the head elsewhere. Whether the chain still has it, says:")
            typer.echo(f"chexnet audit --verify --head {found.head.sha256}")
    if broken:
        raise typer.Exit(1)
