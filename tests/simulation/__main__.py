"""Runs months of operation for many seeds: `python -m tests.simulation --seeds 200`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from random import SystemRandom
from typing import TYPE_CHECKING

from tests.simulation.scenario import YEAR, Result, simulate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

REPLAY = ".venv/bin/python -m tests.simulation --first {} --seeds 1 --trace"


def main() -> int:
    """Run the seeds, print what came of them, and return 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many")
    parser.add_argument("--first", type=int, help="the first one; left out: new ones each time")
    parser.add_argument("--trace", action="store_true", help="print everything that happened")
    parser.add_argument("--failures", type=int, default=5, help="stop at so many; 0: never")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    wanted = parser.parse_args()
    first = first_seed() if wanted.first is None else wanted.first
    seeds = range(first, first + wanted.seeds)
    print(f"seeds       {seeds[0]} to {seeds[-1]}", flush=True)
    began = time.perf_counter()
    results: list[Result] = []
    for result in run(seeds, wanted.jobs, trace=wanted.trace):
        results.append(result)
        if result.violation or wanted.trace:
            _show(result, whole=wanted.trace)
        failing = sum(r.violation is not None for r in results)
        if failing and failing == wanted.failures:
            break
    _sum_up(results, time.perf_counter() - began)
    return 1 if any(result.violation for result in results) else 0


def first_seed() -> int:
    """Return the first of seeds that nobody chose."""
    return SystemRandom().randrange(1_000_000, 1_000_000_000)


def run(seeds: Sequence[int], jobs: int, *, trace: bool = False) -> Iterator[Result]:
    """Run seeds in so many processes; yield the results in the seeds' order."""
    if jobs == 1 or trace:
        yield from (simulate(seed, trace=trace) for seed in seeds)
        return
    pool = ProcessPoolExecutor(jobs)
    try:
        yield from pool.map(simulate, seeds, chunksize=4)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _show(result: Result, *, whole: bool) -> None:
    lines = result.trace.splitlines()
    print(*(lines if whole else [*lines[:1], "…", *lines[-25:]]), sep="\n")
    if result.violation:
        print(f"seed {result.seed} broke a promise: {result.violation}")
        print(f"to replay it: {REPLAY.format(result.seed)}\n", flush=True)


def _sum_up(results: list[Result], took: float) -> None:
    years = sum(result.seconds for result in results) / YEAR
    faults: Counter[str] = sum((result.faults for result in results), Counter())
    excused: Counter[str] = sum((result.excused for result in results), Counter())
    failing = [result.seed for result in results if result.violation]
    print(f"seeds       {len(results)} in {took:.1f} s")
    print(f"cycles      {sum(result.cycles for result in results)}")
    print(f"events      {sum(result.events for result in results)}")
    print(f"jobs        {sum(result.jobs for result in results)}, excused: {_counts(excused)}")
    print(f"audits      {sum(result.audits for result in results)}")
    print(f"faults      {_counts(faults)}")
    print(f"host-years  {years:.1f}")
    print(f"violations  {len(failing)}{' in seeds ' + str(failing) if failing else ''}")


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counts.most_common()) or "none"


if __name__ == "__main__":
    sys.exit(main())
