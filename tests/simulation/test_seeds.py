"""Months of operation under faults: every promise holds after every event, whatever the seed."""

from __future__ import annotations

import pytest

from tests.simulation.scenario import simulate


@pytest.mark.parametrize("seed", range(1, 37))
def test_promises_hold(seed: int) -> None:
    """A failing seed prints the end of its story, and the command that replays it."""
    result = simulate(seed)
    story = "\n".join(result.trace.splitlines()[-25:])
    replay = f".venv/bin/python -m tests.simulation --first {seed} --seeds 1 --trace"
    assert result.violation is None, f"{story}\n{result.violation}\n{replay}"
    assert result.cycles
