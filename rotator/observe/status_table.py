"""The table of `rotator status`: one line an entry where the terminal is wide enough, else two.

Nothing is told by colour alone, so it reads the same in a pipe, where there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rotator.core.candidate import FOREVER
from rotator.observe.status import RUNNING, STOPPED
from rotator.observe.words import clock_time, in_words, relative

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from rich.console import RenderableType

    from rotator.observe.status import (
        CredentialStatus,
        Found,
        RotationStatus,
        Status,
        TargetStatus,
    )

_BAR = 24
_INDENT = 2

# From this share of its life on, a credential that is still not renewed is shown as urgent.
_LATE = 0.8


@dataclass(frozen=True, slots=True)
class _Glyphs:
    good: str
    bad: str
    neither: str
    target: str
    over: str
    left: str
    renewal: str


_UNICODE = _Glyphs("✓", "✗", "·", "→", "█", "░", "◆")
_ASCII = _Glyphs("+", "!", "-", ">", "#", ".", "|")


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line of the table: a credential or a target."""

    sign: Text
    name: str
    life: Text
    words: Text


def show(status: Status, console: Console | None = None) -> None:
    """Print the status to standard output, or to the console that is given."""
    console = console or Console(highlight=False)
    teller = _Teller(status.at, _ASCII if console.options.ascii_only else _UNICODE)
    entries = [teller.entries(rotation) for rotation in status.rotations]
    wide = all(_width(some) <= console.width for some in entries)
    console.print(teller.daemon(status.daemon))
    for rotation, some in zip(status.rotations, entries, strict=True):
        console.print()
        console.print(teller.title(rotation))
        console.print(_indented(*map(Text, teller.facts(rotation))))
        console.print()
        console.print(_indented(_wide(some) if wide else _narrow(some)))
        for text in (*teller.troubles(rotation), *(Text(f"Note: {n}") for n in rotation.notes)):
            console.print()
            console.print(_indented(text))
    if any(one.life for some in entries for one in some):
        console.print(teller.legend())


def _width(entries: list[_Entry]) -> int:
    texts = [
        (one.name, one.life.plain, line) for one in entries for line in one.words.plain.splitlines()
    ]
    widths = [max(map(cell_len, column)) for column in zip(*texts, strict=True)]
    return _INDENT + 5 + sum(widths) + 2 * (len(widths) - 1)


def _wide(entries: list[_Entry]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for one in entries:
        table.add_row(one.sign, one.name, one.life, one.words)
    return table


def _narrow(entries: list[_Entry]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in entries:
        if one.name:
            table.add_row(one.sign, one.name)
        table.add_row("", Text.assemble(one.life, "  " if one.life else "", one.words))
    return table


def _indented(*lines: RenderableType) -> Padding:
    return Padding(Group(*lines), (0, 0, 0, _INDENT), expand=False)


class _Teller:
    """Puts what a status says into words and bars."""

    def __init__(self, now: datetime, glyphs: _Glyphs) -> None:
        self._now = now
        self._glyphs = glyphs

    def daemon(self, daemon: str) -> Text:
        when = clock_time(self._now)
        if daemon == RUNNING:
            return Text(f"{when}: the daemon is running.")
        if daemon == STOPPED:
            text = f"{when}: no daemon is running; this is what the journal tells."
            return Text(text, style="yellow")
        return Text(f"{when}: whether a daemon is running can't be told; this is the journal.")

    def title(self, rotation: RotationStatus) -> Text:
        style = "bold green" if rotation.good else "bold red"
        if rotation.outcome == "paused":
            style = "yellow"
        known = rotation.outcome not in {None, "paused"}
        sign = self._sign(good=rotation.good, known=known)
        name = (rotation.name, "bold")
        return Text.assemble(sign, " ", name, ": ", (rotation.outcome or "no cycle yet", style))

    def facts(self, rotation: RotationStatus) -> Iterable[str]:
        now = self._now
        job = in_words(timedelta(seconds=rotation.longest_job))
        if rotation.outcome == "paused":
            yield "Paused: nothing is fetched or written (enabled: false)."
        if not rotation.job_safe:
            yield f"Not job-safe: a job of {job} that starts now may lose its registries."
        elif rotation.safe_until is None:
            yield f"Job-safe: a job of {job} can start, and nothing of this ends by itself."
        else:
            left = in_words(rotation.safe_until - now)
            yield (
                f"Job-safe: a job of {job} can start during the next {left}, "
                "even if nothing can be fetched."
            )
        if rotation.ended_at is None:
            return
        words = f"Last cycle {relative(rotation.ended_at, now)}"
        if rotation.next_at is not None:
            words += f", next {'was due ' * (rotation.next_at < now)}"
            words += relative(rotation.next_at, now)
        if rotation.succeeded_at != rotation.ended_at:
            last = rotation.succeeded_at
            words += f", last success {relative(last, now) if last else 'never'}"
        yield f"{words}."

    def entries(self, rotation: RotationStatus) -> list[_Entry]:
        entries = [
            _Entry(
                self._sign(good=one.good, known=one.outcome is not None),
                one.name,
                self._life(one),
                Text(self._credential(one), style="" if one.good else "bold red"),
            )
            for one in rotation.credentials
        ]
        for one in rotation.targets:
            sign = self._sign(good=one.good, known=one.outcome not in {None, "paused"})
            words = Text(self._target(one), style="" if one.good else "bold red")
            entries.append(
                _Entry(Text.assemble(sign, " ", self._glyphs.target), one.name, Text(), words)
            )
            if one.found is not None:
                entries.append(_Entry(Text(), "", Text(), _found(one.found)))
        return entries

    def troubles(self, rotation: RotationStatus) -> Iterable[Text]:
        for names, trouble in rotation.troubles():
            times = "once" if trouble.count == 1 else f"{trouble.count} times in a row"
            retry = trouble.retry_at
            again = relative(retry, self._now) if retry > self._now else "now"
            since = in_words(self._now - trouble.since)
            yield Text.assemble(
                (f"{names}: {trouble.reason}", "bold red"),
                f"\n{trouble.detail}",
                f"\nFailed {times}, the first time {since} ago; tried again {again}.",
                ("\nTo do: ", "bold"),
                trouble.hint,
            )

    def legend(self) -> Text:
        g = self._glyphs
        text = f"\n{g.over} life that is over   {g.left} life that is left   {g.renewal} renewal"
        return Text(text, style="dim")

    def _sign(self, *, good: bool, known: bool) -> Text:
        if not known:
            return Text(self._glyphs.neither)
        if good:
            return Text(self._glyphs.good, style="green")
        return Text(self._glyphs.bad, style="bold red")

    def _life(self, credential: CredentialStatus) -> Text:
        shares = credential.shares(self._now)
        if shares is None:
            return Text()
        over, renewal = shares
        cells = round(over * _BAR)
        overdue = renewal is not None and over > renewal
        style = "red" if over >= _LATE else "yellow" if overdue else "green"
        bar = Text.assemble(
            (self._glyphs.over * cells, style), (self._glyphs.left * (_BAR - cells), "dim")
        )
        if renewal is None:
            return bar
        at = min(int(renewal * _BAR), _BAR - 1)
        return Text.assemble(bar[:at], (self._glyphs.renewal, "bold"), bar[at + 1 :])

    def _credential(self, credential: CredentialStatus) -> str:
        now, end, renewal = self._now, credential.expires_at, credential.renew_at
        if credential.fingerprint is None:
            return "nothing yet" if credential.outcome is None else "nothing to publish"
        if end is None:
            words = ["has no known end"]
        else:
            words = [f"{'ended' if end < now else 'ends'} {relative(end, now)}"]
        if renewal is not None and credential.good:
            words.append("renewal due" if renewal < now else f"renewal {relative(renewal, now)}")
        if not credential.good and credential.outcome is not None:
            words.append(credential.outcome)
        elif credential.proof == "accepted":
            words.append("accepted")
        return ", ".join(words)

    def _target(self, target: TargetStatus) -> str:
        now = self._now
        if target.outcome is None:
            return "not looked at yet"
        words = [] if target.outcome in {"unchanged", "written"} else [target.outcome]
        if target.written_at is not None and target.good:
            words.append(f"written {relative(target.written_at, now)}")
        if target.end is None:
            words.append("an entry in it does not work")
        elif target.end != FOREVER:
            first = "ended" if target.end < now else "first end"
            words.append(f"{first} {relative(target.end, now)}")
        return ", ".join(words).replace("_", " ") or "as it should be"


def _found(found: Found) -> Text:
    """Tell what a target holds now, beside what is recorded of it."""
    if found.reason is not None:
        text = f"now: {found.reason}: {found.detail}\nTo do: {found.hint}"
        return Text(text, style="bold red")
    if not found.entries:
        return Text("now: nothing of this rotation belongs there")
    strange = [one for one in found.entries if one.entry not in {"current", "withheld"}]
    lines = [f"now {one.entry}: {one.registry}" for one in strange]
    if found.mark == "foreign":
        lines.append("marked by another rotator")
    if not lines:
        hidden = any(one.entry == "withheld" for one in found.entries)
        lines.append("now: not shown by the target" if hidden else "now: as published")
    return Text("\n".join(lines), style="yellow" if strange else "")
