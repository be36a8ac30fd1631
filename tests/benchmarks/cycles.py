"""A process that runs cycles of one rotation on request, as the daemon does, and measures each.

`python -m tests.benchmarks.cycles FILE`: FILE is a configuration as JSON, which is taken without
the limits for files that people write. Each line that comes in runs a cycle and is answered with a
line: the seconds on the clock, the seconds of CPU, the memory in bytes, and how often a file was
synced. The first line is there at once, before any cycle.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from rotator.app import Builder
from rotator.config.reading import Reading
from rotator.config.schema import Configuration
from rotator.core.cycle import Options


def main() -> None:
    """Build the first rotation of the configuration, then run cycles until the input ends."""
    document = json.loads(Path(sys.argv[1]).read_text())
    reading = Reading()
    configuration: Configuration = reading.read(Configuration, document)
    if reading.problems:
        sys.exit(f"the configuration is wrong: {reading.problems}")
    runner = Builder(configuration, print).runner(configuration.rotations[0])
    print(json.dumps([0.0, 0.0, _memory(), 0]), flush=True)  # noqa: T201  its answer
    synced, sync = [], os.fsync

    def counted(file: int) -> None:
        synced.append(file)
        sync(file)

    os.fsync = counted  # type: ignore[assignment]
    for _ in sys.stdin:
        synced.clear()
        wall, cpu = time.perf_counter(), time.process_time()
        with runner.hold(10.0):
            report = runner.locked_cycle(Options(force=True))
        spent = [time.perf_counter() - wall, time.process_time() - cpu, _memory()]
        spent.append(len(synced))
        if report.outcome != "rotated":
            sys.exit(f"a cycle ended in {report.outcome}: {report}")
        print(json.dumps(spent), flush=True)  # noqa: T201  its answer


def _memory() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


if __name__ == "__main__":
    main()
