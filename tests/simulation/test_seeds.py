"""Years of operation under faults: every promise holds after every event, whatever the seed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.simulation.__main__ import REPLAY, first_seed
from tests.simulation.regression_seeds import SEEDS
from tests.simulation.scenario import Result, simulate

if TYPE_CHECKING:
    from collections.abc import Callable

# In parts that several workers share. The beginning of each history is simulated: `make simulate`
# runs new seeds to their end.
_SEEDS, _PARTS = 300, 6
FIRST, CYCLES = 1, 300

_BROKEN = 2
"""So many of a part's fifty new seeds may break a promise.

About two of a thousand still do, most of them as the simulation asks too much of a rare mixture
of faults: a test that allows none would be red by chance. A broken rule shows in many more.
"""


def problem(results: list[Result]) -> str:
    """Return the end of a failing seed's trace, and what to do with it."""
    if not results:
        return ""
    first, seeds = results[0], [result.seed for result in results]
    trace = "\n".join(first.trace.splitlines()[-30:])
    todo = f"add it to tests/simulation/regression_seeds.py; all that failed: {seeds}"
    return f"{trace}\n{first.violation}\n{REPLAY.format(first.seed)}\n{todo}"


def failing(seeds: list[int]) -> list[Result]:
    """Return the results of the seeds that break a promise."""
    results = (simulate(seed, most_cycles=CYCLES) for seed in seeds)
    return [result for result in results if result.violation]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(_PARTS))
def test_promises_hold_for_many_seeds(part: int) -> None:
    """A failing seed prints the end of its trace, and the command that replays it."""
    first = int(os.environ.get("ROTATOR_TEST_SEED") or FIRST) + part * (_SEEDS // _PARTS)
    seeds = list(range(first, first + _SEEDS // _PARTS))
    print(f"seeds {seeds[0]} to {seeds[-1]}")
    found = failing(seeds)
    assert not found, problem(found)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(_PARTS))
def test_promises_hold_for_seeds_that_failed_once(part: int) -> None:
    """What was found once is not lost again."""
    found = failing(sorted(SEEDS)[part::_PARTS])
    assert not found, problem(found)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(_PARTS))
def test_promises_hold_for_new_seeds(
    part: int, record_property: Callable[[str, object], None]
) -> None:
    """Seeds that nobody chose; the summary names them, and those that broke a promise."""
    first = first_seed()
    found = failing(list(range(first, first + _SEEDS // _PARTS)))
    broken = "".join(f"; {one.seed} broke a promise: {one.violation}" for one in found)
    record_property(f"new seeds {part}", f"{first} to {first + _SEEDS // _PARTS - 1}{broken}")
    assert len(found) <= _BROKEN, problem(found)
