"""Which steps of a command run now, for how long, and which have ended.

A command begins and ends its steps here. On a terminal they are shown live, one line a step; in a
pipe nothing is shown, and rich is not loaded. When a signal ends it, this says what was done.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct

from rotator.core.model import Credential
from rotator.core.ports import Source, Target
from rotator.observe.times import few

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TextIO

    from rich.console import RenderableType

    from rotator.core.ports import Each

Item = TypeVar("Item")
Answer = TypeVar("Answer")

# A command that ends at once flashes nothing.
_QUIET_SECONDS = 0.3
_REFRESHES = 8
_NAMED = 2
_LISTED = 5

# What is said of a step that has ended. That a lock was had is no news.
_DONE = {"read": "read", "fetch": "fetched", "prove": "proven", "write": "written",
         "retire": "ended", "check": "checked"}  # fmt: skip


class Step(Struct, frozen=True):
    """A step as it is now: what runs in it, since when, what has ended, and how many there are."""

    name: str
    waits_for: tuple[str, ...]
    since: float
    done: int
    total: int

    def line(self, now: float) -> str:
        """Return the step as one line: who is waited for, and for how long."""
        count = f" {self.done} of {self.total}," if self.total > 1 else ""
        names, age = few(self.waits_for, _NAMED), int(now - self.since)
        return f"{self.name}{count} waiting for {names}, {age} s"


class Progress:
    """The steps of one command; may be used by several threads at once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._lock = Lock()
        self._running: dict[str, dict[str, float]] = {}
        self._done: dict[str, list[str]] = {}
        self._failed: dict[str, list[str]] = {}
        self._expected: dict[str, int] = {}

    def expect(self, step: str, count: int) -> None:
        """Note that a step will have so many more parts; few of them may run at a time."""
        with self._lock:
            self._expected[step] = self._expected.get(step, 0) + count

    def has_ended(self, step: str, detail: str) -> bool:
        """Tell whether a part of a step has ended well."""
        with self._lock:
            return detail in self._done.get(step, ())

    def begin(self, step: str, detail: str) -> None:
        """Note that a part of a step runs: `fetch`, `vault (https://vault.example.com)`."""
        with self._lock:
            self._running.setdefault(step, {})[detail] = self.clock()

    def end(self, step: str, detail: str, *, well: bool = True) -> None:
        """Note that it has ended."""
        with self._lock:
            if self._running.get(step, {}).pop(detail, None) is not None:
                (self._done if well else self._failed).setdefault(step, []).append(detail)

    @contextmanager
    def step(self, step: str, detail: str) -> Iterator[None]:
        """Note that a part of a step runs for the block."""
        self.begin(step, detail)
        well = False
        try:
            yield
            well = True
        finally:
            self.end(step, detail, well=well)

    def steps(self) -> list[Step]:
        """Return the steps in which something runs, in the order in which they began."""
        with self._lock:
            found = []
            for name, parts in self._running.items():
                done = len(self._done.get(name, ())) + len(self._failed.get(name, ()))
                total = max(self._expected.get(name, 0), len(parts) + done)
                if parts:
                    found.append(Step(name, tuple(parts), min(parts.values()), done, total))
            return found

    def summary(self) -> str:
        """Return what was done and what was under way, for who has ended the command."""
        with self._lock:
            steps = (
                *((_DONE[name], parts) for name, parts in self._done.items() if name in _DONE),
                *((f"failed to {name}", parts) for name, parts in self._failed.items()),
            )
            running = [
                f"{'wait for' if name == 'lock' else name} {few([*parts], _LISTED)}"
                for name, parts in self._running.items()
                if parts
            ]
            wrote = "write" in self._running
        done = [f"{what} {few(parts, _LISTED)}" for what, parts in steps]
        said = "; ".join(done if wrote else ["nothing was written", *done])
        return f"{said}. Not ended: {'; '.join(running)}" if running else said


def watched(
    each: Each, progress: Progress, step: Callable[[Any], str], detail: Callable[[Any], str]
) -> Each:
    """Return an `Each` that notes each call as a part of a step.

    `step` gives the name of an item's step, `detail` that of the item.
    """

    def fan_out(
        call: Callable[[Item], Answer], items: Sequence[Item], seconds: float
    ) -> list[Answer | Exception]:
        def noted(item: Item) -> Answer:
            with progress.step(step(item), detail(item)):
                return call(item)

        if items:
            progress.expect(step(items[0]), len(items))
        return each(noted, items, seconds)

    return fan_out


def cycle_each(each: Each, progress: Progress, rotation: str) -> Each:
    """Return the fan-out of one rotation's cycle, watched: read, fetch, prove, write, retire."""

    def detail(item: Any) -> str:
        name = item.registry if isinstance(item, Credential) else getattr(item, "name", "a lease")
        return f"{name} ({rotation})"

    def step(item: Any) -> str:
        if isinstance(item, Source):
            return "fetch"
        if isinstance(item, Credential):
            return "prove"
        if isinstance(item, Target):
            return "write" if progress.has_ended("read", detail(item)) else "read"
        return "retire"

    return watched(each, progress, step, detail)


@contextmanager
def shown(progress: Progress, stream: TextIO) -> Iterator[None]:
    """Show the steps live for the block, where `stream` is a terminal; leave nothing behind."""
    if not stream.isatty():
        yield
        return
    from rich.console import Console, Group  # noqa: PLC0415  rich is slow to load
    from rich.live import Live  # noqa: PLC0415
    from rich.spinner import Spinner  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(file=stream, highlight=False)
    spinner = Spinner("line" if console.options.ascii_only else "dots")
    began = progress.clock()

    def lines() -> RenderableType:
        now = progress.clock()
        if now - began < _QUIET_SECONDS:
            return Group()
        table = Table.grid(padding=(0, 1, 0, 0))
        for step in progress.steps():
            table.add_row(spinner, Text(step.line(now), overflow="ellipsis", no_wrap=True))
        return table

    with Live(
        console=console,
        get_renderable=lines,
        refresh_per_second=_REFRESHES,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ):
        yield
