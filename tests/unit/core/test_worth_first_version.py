"""What an entry is worth that a journal of version 0.1.0 does not name."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from rotator.core.model import Content, Merge
from tests.unit.core.builders import HOST, down, foreign, site
from tests.unit.core.drivers import Place


def test_a_journal_of_the_first_version_names_no_entries() -> None:
    """Then no more is promised than what is chosen lasts."""
    one, two = Place("one"), Place("two")
    here = site(targets=[one, two])
    here.cycle()
    journal = json.loads(here.journal.text)
    far = "2027-01-01T00:00:00Z"
    for name in ("one", "two"):
        del journal["targets"][name]["entries"]
        journal["targets"][name] |= {"ends": {HOST: far}, "end": far}
    here.journal.text = json.dumps(journal)
    one.unreadable = down()
    end = here.world.now + timedelta(hours=12)
    assert here.after(60).safe_until == end - timedelta(hours=1)


@pytest.mark.parametrize("content", [Content.DOCKER_CONFIG, Content.PASSWORD])
@pytest.mark.parametrize("marks", [True, False])
@pytest.mark.parametrize("is_down", [True, False])
def test_a_value_of_the_first_version_is_as_written(
    *, content: Content, marks: bool, is_down: bool
) -> None:
    """Its journal does not name the entries; nothing is fetched or written for that."""
    registry = HOST if content is Content.PASSWORD else None
    place = Place(content=content, registry=registry, merge=Merge.REPLACE)
    here = site(targets=[Place("file"), place])
    place.hidden, place.marks = content is Content.DOCKER_CONFIG, marks
    here.cycle()
    journal = json.loads(here.journal.text)
    for past in journal["targets"].values():
        del past["entries"]
    here.journal.text = json.dumps(journal)
    here.restart()
    if not is_down:
        report = here.after(60)
        assert (here.source.fetches, report.outcome, report.job_safe) == (1, "fresh", True)
    here.source.broken = down()
    here.rotation.targets[0].unreadable = down()  # type: ignore[attr-defined]
    here.restart()
    assert here.after(60).job_safe
    place.put("theirs", foreign({HOST: None}))
    assert here.after(600).job_safe is False
