"""Runs months of operation for many seeds: `python -m tests.simulation --seeds 200 --first 1`."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from tests.simulation.scenario import YEAR, Result, simulate


def main() -> int:
    """Run the seeds, print what came of them, and return 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first one")
    parser.add_argument("--trace", action="store_true", help="tell everything that happened")
    parser.add_argument("--keep-going", action="store_true", help="don't stop at 5 failing seeds")
    wanted = parser.parse_args()
    begun = time.perf_counter()
    results: list[Result] = []
    for seed in range(wanted.first, wanted.first + wanted.seeds):
        result = simulate(seed, trace=wanted.trace)
        results.append(result)
        if result.violation or wanted.trace:
            _tell(result, whole=wanted.trace)
        failing = sum(r.violation is not None for r in results)
        if failing == 5 and not wanted.keep_going:
            break
    _sum_up(results, time.perf_counter() - begun)
    return 1 if any(result.violation for result in results) else 0


def _tell(result: Result, *, whole: bool) -> None:
    lines = result.trace.splitlines()
    print(*(lines if whole else [*lines[:1], "…", *lines[-25:]]), sep="\n")
    if result.violation:
        print(f"seed {result.seed} broke a promise: {result.violation}")
        command = f".venv/bin/python -m tests.simulation --first {result.seed} --seeds 1 --trace"
        print(f"to see it all again: {command}\n")


def _sum_up(results: list[Result], took: float) -> None:
    years = sum(result.seconds for result in results) / YEAR
    faults: Counter[str] = sum((result.faults for result in results), Counter())
    excused: Counter[str] = sum((result.excused for result in results), Counter())
    failing = [result.seed for result in results if result.violation]
    print(f"seeds       {results[0].seed} to {results[-1].seed}")
    print(f"simulated   {years:.1f} years in {took:.1f} s")
    print(f"cycles      {sum(result.cycles for result in results)}")
    print(f"events      {sum(result.events for result in results)}")
    print(f"jobs        {sum(result.jobs for result in results)}, excused: {_words(excused)}")
    print(f"audits      {sum(result.audits for result in results)}")
    print(f"faults      {_words(faults)}")
    print(f"violations  {len(failing)}{' in seeds ' + str(failing) if failing else ''}")


def _words(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counts.most_common()) or "none"


if __name__ == "__main__":
    sys.exit(main())
