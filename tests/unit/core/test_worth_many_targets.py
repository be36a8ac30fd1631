"""Every target counts, however many there are."""

from __future__ import annotations

import pytest

from tests.unit.core.builders import Place, down, site, target


@pytest.mark.parametrize("number", range(5))
def test_each_of_many_targets_counts(number: int) -> None:
    """One that was not written is enough for a job to fail."""
    places = [Place(f"target-{n}") for n in range(5)]
    places[number].broken = down()
    here = site(targets=places)
    report = here.cycle()
    assert not report.job_safe
    assert [place.reads for place in places] == [1] * 5
    assert target(report, f"target-{number}").outcome == "failed"
    places[number].broken = None
    assert here.after(20).job_safe
