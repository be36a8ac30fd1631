"""The tables of `run-once` and `status`: one line an entry where the terminal is wide enough.

Where it is not, an entry takes two. Nothing is said by colour alone, so a table reads the same in a
pipe, where there is none.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rotator.observe import phrases
from rotator.observe.view_model import FINE, Health

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from rich.console import RenderableType

    from rotator.observe.view_model import CredentialView, RotationView, View

_BAR = 24
_INDENT = 2
_UNLIMITED = 10_000
_STYLES = {Health.GREEN: "green", Health.AMBER: "yellow", Health.RED: "bold red", None: ""}


_TARGET, _SPENT, _LEFT, _RENEWAL = "→█░◆"
_IN_ASCII = str.maketrans("✓✗·→█░◆", "+X->#.|")


class _Entry(NamedTuple):
    """A line of the table: a credential or a target."""

    sign: Text
    name: str
    life: Text
    text: Text


def show(view: View, console: Console | None = None, *, quiet: bool = False) -> None:
    """Print the state of everything to standard output, or to the console that is given.

    `quiet`: only the rotations that are not green.
    """
    console = console or Console(highlight=False)
    rotations = [r for r in view.rotations if not quiet or r.health not in FINE]
    if not quiet:
        style = "" if view.daemon == "running" else "yellow"
        console.print(Text(phrases.daemon(view), style=style))
        console.print()
    show_rotations(rotations, view.at, console)


def show_rotations(
    rotations: Sequence[RotationView], now: datetime, console: Console | None = None
) -> None:
    """Print rotations one below the other."""
    console = console or Console(highlight=False)
    entries = [_entries(rotation, now) for rotation in rotations]
    tables = [_indented(_wide(some)) for some in entries]
    # The width without a limit: by default a measure ends at the terminal's width.
    options = console.options.update(max_width=_UNLIMITED)
    wide = all(console.measure(t, options=options).maximum <= console.width for t in tables)
    with fitting(console):
        for number, rotation in enumerate(rotations):
            if number:
                console.print()
            console.print(_title(rotation))
            sentences = (phrases.safety(rotation, now), phrases.cycles(rotation, now))
            # A cycle that has just ended needs no word of when it was.
            shown = sentences if rotation.longest_job is not None else sentences[:1]
            console.print(_indented(*(Text(sentence) for sentence in shown if sentence)))
            console.print()
            console.print(tables[number] if wide else _indented(_narrow(entries[number])))
            notes = (Text(f"Note: {note}") for note in rotation.notes)
            for text in (*_failures(rotation, now), *notes):
                console.print()
                console.print(_indented(text))
        if any(one.life for some in entries for one in some):
            legend = f"{_SPENT} life that is over   {_LEFT} life that is left   {_RENEWAL} renewal"
            console.print(Text(f"\n{legend}", style="dim"))


@contextmanager
def fitting(console: Console) -> Iterator[None]:
    """Print the block's output as the console takes it.

    In a pipe no line ends in blanks: it is pasted into a ticket. Without Unicode there are other
    signs.
    """
    only_ascii = console.options.ascii_only
    if console.is_terminal and not only_ascii:
        yield
        return
    with console.capture() as captured:
        yield
    text = captured.get().translate(_IN_ASCII) if only_ascii else captured.get()
    console.file.writelines(f"{line.rstrip()}\n" for line in text.splitlines())


def _wide(entries: list[_Entry]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for one in entries:
        table.add_row(one.sign, Text(one.name), one.life, one.text)
    return table


def _narrow(entries: list[_Entry]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in entries:
        if one.name:
            table.add_row(one.sign, Text(one.name))
        table.add_row("", Text.assemble(one.life, "  " if one.life else "", one.text))
    return table


def _indented(*lines: RenderableType) -> Padding:
    return Padding(Group(*lines), (0, 0, 0, _INDENT), expand=False)


def _title(rotation: RotationView) -> Text:
    style = f"bold {_STYLES[rotation.health]}" if rotation.health else "yellow"
    return Text.assemble(
        _sign(rotation.health),
        " ",
        (rotation.name, "bold"),
        ": ",
        (phrases.title(rotation), style),
    )


def _entries(rotation: RotationView, now: datetime) -> list[_Entry]:
    entries = [
        _Entry(
            _sign(one.health),
            one.name,
            _life(one, now),
            _said(phrases.credential(one, now), one.health),
        )
        for one in rotation.credentials
    ]
    for place in rotation.targets:
        sign = Text.assemble(_sign(place.health), " ", _TARGET)
        text = _said(phrases.target(place, now), place.health)
        entries.append(_Entry(sign, place.title, Text(), text))
        if place.found is not None:
            lines = phrases.found(place.found)
            style = "yellow" if place.found.differs else ""
            text = Text("\n".join(lines), style="bold red" if place.found.reason else style)
            entries.append(_Entry(Text(), "", Text(), text))
    return entries


def _failures(rotation: RotationView, now: datetime) -> Iterable[Text]:
    for names, failure in rotation.failures():
        history = phrases.history(failure, now)
        yield Text.assemble(
            (f"{names}: {failure.reason}", _STYLES[rotation.health]),
            f"\n{failure.detail}",
            f"\n{history}" if history else "",
            ("\nTo do: ", "bold"),
            failure.hint,
        )


def _sign(health: Health | None) -> Text:
    return Text(phrases.SIGNS[health], style=_STYLES[health])


def _said(said: list[str], health: Health | None) -> Text:
    style = "" if health in FINE else _STYLES[health]
    return Text(", ".join(said), style=style)


def _life(credential: CredentialView, now: datetime) -> Text:
    shares = credential.shares(now)
    if shares is None:
        return Text()
    spent, renewal = shares
    cells = round(spent * _BAR)
    bar = Text.assemble(
        (_SPENT * cells, _STYLES[credential.health]),
        (_LEFT * (_BAR - cells), "dim"),
    )
    if renewal is None:
        return bar
    at = min(int(renewal * _BAR), _BAR - 1)
    return Text.assemble(bar[:at], (_RENEWAL, "bold"), bar[at + 1 :])
