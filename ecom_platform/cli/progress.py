"""Progress of parts that come and go: one line each that changes for a person, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.spinner import Spinner
    from rich.table import Table


@contextmanager
def shown() -> Iterator[Callable[[str, str], None]]:
    """What is told (a name, what happened to it) appears on stderr."""
    if not sys.stderr.isatty():
        yield _line
        return
    from rich.console import Console
    from rich.live import Live

    table = _Board()
    with Live(get_renderable=table.render, console=Console(stderr=True), refresh_per_second=8):
        yield table.tell


def _line(name: str, what: str) -> None:
    click.echo(f"  {name:<28} {what}", err=True)


class _Board:
    """The latest word on each name, in the order in which they came."""

    def __init__(self) -> None:
        self._words: dict[str, str] = {}
        self._spinner: Spinner | None = None

    def tell(self, name: str, what: str) -> None:
        self._words[name] = what

    def render(self) -> Table:
        from rich.spinner import Spinner
        from rich.table import Table
        from rich.text import Text

        self._spinner = self._spinner or Spinner("dots")
        table = Table.grid(padding=(0, 1))
        for name, what in self._words.items():
            settled = what.startswith(("ready", "stopped"))
            mark = Text("✓", style="green") if settled else self._spinner
            table.add_row(mark, f"{name:<26}", Text(what, style="dim"))
        return table
