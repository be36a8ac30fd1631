"""Reads a file without a pause while another process rotates it: no reader may see a bad one.

`python -m tests.benchmarks.reader FILE ROTATIONS` is the other process.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rotator.config.targets import FileTargetSettings
from rotator.core.model import Mark, Policy, Secret
from rotator.targets.file import FileTarget
from tests.benchmarks.installed import ROOT
from tests.benchmarks.measure import Row

if TYPE_CHECKING:
    from tests.benchmarks.site import Site

ROTATIONS = 10_000
READS = 1_000_000
_LENGTHS = (600, 2400)


def reader(here: Site) -> list[Row]:
    """Count bad reads, and compare a publication with a bare write and rename."""
    path = here.place / "docker" / "reader.json"
    path.write_text(_document(0))
    words = [sys.executable, "-m", "tests.benchmarks.reader", str(path), str(ROTATIONS)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        bad = seen = reads = 0
        last = b""
        while reads < READS or writer.poll() is None:
            data = path.read_bytes()
            reads += 1
            if data != last:
                seen, last = seen + 1, data
                bad += not _good(data)
        assert writer.stdout is not None
        ours, theirs = json.loads(writer.stdout.read())
    against = f"{reads} reads, {seen} different documents"
    return [
        Row("reader: bad documents", against, "", bad, 0, 1.0),
        Row("reader: a publication", "write and rename", "ms", ours * 1000, theirs * 1000),
    ]


def main() -> None:
    """Rotate the file, then do the same bare; print the seconds of one in both."""
    path, rotations = Path(sys.argv[1]), int(sys.argv[2])
    settings = FileTargetSettings(path=path, durable=False)
    target = FileTarget(settings, Policy())
    held = target.read()
    mark = Mark({"registry.example.com": datetime.now(UTC)}, "hmac:0123456789ab", "reader")
    begun = time.perf_counter()
    for number in range(rotations):
        held = target.write(Secret(_document(number)), mark, held)
    ours = (time.perf_counter() - begun) / rotations
    bare = path.with_name("bare.json")
    begun = time.perf_counter()
    for number in range(rotations):
        bare.with_suffix(".new").write_text(_document(number))
        bare.with_suffix(".new").rename(bare)
    theirs = (time.perf_counter() - begun) / rotations
    print(json.dumps([ours, theirs]))  # noqa: T201  its answer


def _document(number: int) -> str:
    # Its length changes, so that half of one can't look like another.
    return json.dumps({"auths": {"registry.example.com": {"auth": "A" * _LENGTHS[number % 2]}}})


def _good(data: bytes) -> bool:
    try:
        document = json.loads(data)
    except ValueError:
        return False
    return len(document["auths"]["registry.example.com"]["auth"]) in _LENGTHS


if __name__ == "__main__":
    main()
