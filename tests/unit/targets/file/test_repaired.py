"""What others' logins take out of a file comes back at once, as the daemon has it watched."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

from rotator.system.watch import Watch
from tests.support import until
from tests.unit.targets.file.desk import names_in
from tests.unit.targets.file.pairs import rotator

if TYPE_CHECKING:
    from pathlib import Path

LOGINS = 100
OURS = "ours"
LOGIN = """
import json, os, sys, threading
path = sys.argv[1]

def login(name):
    entries = json.load(open(path))
    entries.pop("ours", None)  # it was read before ours came
    with open(path + name, "w") as draft:
        json.dump({**entries, name: 1}, draft)
    os.rename(path + name, path)

logins = [threading.Timer(n * 0.05, login, [f"other-{n}"]) for n in range(int(sys.argv[2]))]
for each in logins:
    each.start()
for each in logins:
    each.join()
"""


def test_a_hundred_logins_at_once(path: Path) -> None:
    """Each takes our entry out; it is never missing for two seconds."""
    path.write_text("{}")
    rotator(path, OURS)
    watched = Watch([path], lambda changed: rotator(changed, OURS), lambda _: None)
    watched.start()
    gaps: list[float] = []
    stop = threading.Event()

    def measure() -> None:
        since: float | None = None
        while not stop.is_set():
            missing = OURS not in json.loads(path.read_text())
            now = time.monotonic()
            if missing:
                since = since or now
            elif since is not None:
                gaps.append(now - since)
                since = None
            stop.wait(0.002)

    measuring = threading.Thread(target=measure)
    measuring.start()
    try:
        subprocess.run([sys.executable, "-c", LOGIN, str(path), str(LOGINS)], check=True)
        until(lambda: OURS in json.loads(path.read_text()), what="the last repair")
        until(lambda: gaps, what="the measurement")
    finally:
        stop.set()
        measuring.join()
        watched.close()
    assert max(gaps) < 2
    assert names_in(path.parent) == [path.name]
