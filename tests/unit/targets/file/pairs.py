"""Two who write one file at the same time, again and again, while a third reads it.

`python -m tests.unit.targets.file.pairs [PAIRS]` has 1,000 pairs of two rotators, and as many of a
rotator and somebody who writes as `docker login` does, and says what was lost.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rotator.core.errors import ConflictError
from rotator.core.model import Secret
from tests.unit.targets.file.desk import MARK, target

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.synchronize import Barrier, Event

_PROCESSES = multiprocessing.get_context("spawn")
_LONGEST = 120.0
_SPREAD = 0.002


class Outcome(NamedTuple):
    """Entries that were lost, documents that a reader could not read, and how many it could."""

    lost: list[str]
    broken: int
    whole: int


def rotator(path: Path, name: str) -> None:
    """Add an entry as a cycle does: read, merge, write, and again where somebody was faster."""
    found = target(path, durable=False)
    while True:
        held = found.read()
        entries = json.loads(held.text.reveal() if held.text else "{}")
        if name in entries:
            return
        try:
            found.write(Secret(json.dumps({**entries, name: 1})), MARK, held)
        except ConflictError:
            continue


def login(path: Path, name: str) -> None:
    """Add an entry as `docker login` does: read, and rename a new file over the old one."""
    entries = json.loads(path.read_text())
    draft = path.with_name(f"config.json{name}")
    draft.write_text(json.dumps({**entries, name: 1}))
    draft.replace(path)


def outcome(path: Path, pairs: int, other: Callable[[Path, str], None]) -> Outcome:
    """Let a rotator and another write at once, so many times, and a reader read all the time."""
    path.write_text("{}")
    gate, stop = _PROCESSES.Barrier(2), _PROCESSES.Event()
    counts = _PROCESSES.Queue()
    theirs = _PROCESSES.Process(target=_other, args=(path, pairs, other, gate), daemon=True)
    reader = _PROCESSES.Process(target=_reader, args=(path, stop, counts), daemon=True)
    theirs.start()
    reader.start()
    lost: list[str] = []
    for number in range(pairs):
        ours, other_name = f"rotator-{number}", f"other-{number}"
        gate.wait(_LONGEST)
        rotator(path, ours)
        gate.wait(_LONGEST)
        # Who reads, and renames over what came since, takes our entry out, as `docker login` does:
        # the next look puts it back. Theirs must be there.
        rotator(path, ours)
        entries = json.loads(path.read_text())
        lost += [name for name in (ours, other_name) if name not in entries]
    stop.set()
    whole, broken = counts.get(timeout=_LONGEST)
    for process in (theirs, reader):
        process.join(_LONGEST)
    return Outcome(lost, broken, whole)


def _other(path: Path, pairs: int, write: Callable[[Path, str], None], gate: Barrier) -> None:
    chance = random.Random(0)  # noqa: S311  no secret
    for number in range(pairs):
        gate.wait(_LONGEST)
        # Begun at once, the shorter write would always be over before the other's last step.
        time.sleep(chance.random() * _SPREAD)
        write(path, f"other-{number}")
        gate.wait(_LONGEST)


def _reader(path: Path, stop: Event, counts: multiprocessing.Queue[tuple[int, int]]) -> None:
    whole = broken = 0
    while not stop.is_set():
        try:
            json.loads(path.read_text())
        except (OSError, ValueError):
            broken += 1
        else:
            whole += 1
    counts.put((whole, broken))


def main() -> None:
    """Print what came of it; fail if anything was lost or broken."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    bad = False
    for name, other in (("two rotators", rotator), ("rotator and docker login", login)):
        with tempfile.TemporaryDirectory() as folder:
            found = outcome(Path(folder) / "config.json", pairs, other)
            left = len(list(Path(folder).iterdir())) - 1
        sys.stdout.write(
            f"{name}: {pairs} pairs, {len(found.lost)} entries lost, {found.broken} of "
            f"{found.whole + found.broken} reads found no whole document, {left} files left\n"
        )
        bad = bad or bool(found.lost) or bool(found.broken) or bool(left)
    sys.exit(bad)


if __name__ == "__main__":
    main()
