"""Years of operation under faults: every promise holds after every event, whatever the seed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.simulation.__main__ import first_seed, run
from tests.simulation.regression_seeds import SEEDS

if TYPE_CHECKING:
    from tests.simulation.scenario import Result

# New seeds in each run; a part each, so that several workers share them.
_NEW, _PARTS = 300, 6


def problem(result: Result) -> str:
    """Return the end of a failing seed's trace, and what to do with it."""
    trace = "\n".join(result.trace.splitlines()[-30:])
    replay = f".venv/bin/python -m tests.simulation --first {result.seed} --seeds 1 --trace"
    todo = "add it to tests/simulation/regression_seeds.py"
    return f"{trace}\n{result.violation}\n{replay}\n{todo}"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(_PARTS))
def test_promises_hold_for_seeds_that_nobody_chose(part: int) -> None:
    """A failing seed prints the end of its trace, and the command that replays it."""
    first = int(os.environ.get("ROTATOR_TEST_SEED") or first_seed())
    seeds = range(first + part * (_NEW // _PARTS), first + (part + 1) * (_NEW // _PARTS))
    print(f"seeds {seeds[0]} to {seeds[-1]}")
    failing = [result for result in run(seeds, 1) if result.violation]
    assert not failing, f"seeds {seeds}: " + problem(failing[0])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(_PARTS))
def test_promises_hold_for_seeds_that_failed_once(part: int) -> None:
    """What was found once is not lost again."""
    failing = [result for result in run(sorted(SEEDS)[part::_PARTS], 1) if result.violation]
    assert not failing, problem(failing[0])
