"""Writes a file again and again, each time killed one call later; run as a process of its own.

Usage: kill_writer.py PATH replace|in_place OLD NEW. Before each round OLD is there. Writes a JSON
line a round: what a reader finds after it. Ends when a round was not killed.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from rotator.config.targets import FileTargetSettings
from rotator.core.model import Mark, Policy, Secret
from rotator.targets.file import build
from tests.faults import killing
from tests.support import NOW

MARK = Mark({"one.example.com": None}, "hmac:0123456789ab", "dind")


def main(path: Path, how: str, old: str, new: str) -> None:
    """Go on until a write is not killed any more."""
    settings = FileTargetSettings(path=path, write=how)
    target = build(settings, Policy(), lambda: NOW)
    killed, number = True, 0
    while killed:
        number += 1
        draft = path.with_name("draft")
        draft.write_text(f"{old}\n")
        draft.replace(path)
        child = os.fork()
        if child == 0:
            with killing(number):
                target.write(Secret(new), MARK, target.read())
            os._exit(0)
        killed = os.waitpid(child, 0)[1] != 0
        names = [found.name for found in path.parent.iterdir()]
        found = {"killed": killed, "text": path.read_text(), "names": names}
        sys.stdout.write(f"{json.dumps(found)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
