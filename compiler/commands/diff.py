"""``snnc diff``: two builds side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click
from rich import box
from rich.table import Table

from snnc.compiler.build.differences import Group, compared, facts_of, read_account
from snnc.compiler.build.folder import replace_file

__all__ = ["diff_command"]


@click.command("diff")
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@click.option("--all", "everything", is_flag=True, help="What is the same, too.")
@click.option("--json", "as_json", is_flag=True, help="For programs, with what is the same.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="PAGE.html", help="A page of it, too.")
def diff_command(before: Path, after: Path, everything: bool, as_json: bool, output: Path | None) -> None:
    """Say in what the build AFTER differs from BEFORE: network, plan, area, time and verdicts.

    It reads what the builds say of themselves, so that those of other releases can be compared, too. What was not
    verified or synthesised in one of them is not said there.
    """
    groups = compared(read_account(before), read_account(after))
    if output is not None:
        from snnc.compiler.build.pages import render_differences

        replace_file(output, render_differences(groups, before=before, after=after))
    if as_json:
        click.echo(json.dumps(facts_of(groups), indent=2))
        return
    _show(groups, everything)
    rows = [row for group in groups for row in group.rows]
    same = sum(row.same for row in rows)
    click.echo(f"{len(rows) - same:,} of {len(rows):,} facts differ.")
    if output is not None:
        click.echo(f"Written to {output}.")


def _show(groups: Sequence[Group], everything: bool) -> None:
    from snnc.compiler.commands.console import terminal

    for group in groups:
        rows = group.rows if everything else group.different
        if not rows:
            continue
        table = Table(title=group.title, title_justify="left", box=box.SIMPLE_HEAD, collapse_padding=True)
        for heading in ("", "before", "after"):
            table.add_column(heading, overflow="fold")
        table.add_column("change", justify="right")
        for row in rows:
            table.add_row(row.what, *row.texts)
        terminal().print(table)
