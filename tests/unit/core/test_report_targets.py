"""Who took our entries out of a target, as far as that is known."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from rotator.core.model import Content
from tests.unit.core.builders import HOST, foreign, site, target
from tests.unit.core.drivers import Place


@pytest.mark.parametrize(
    ("rotation", "who"),
    [("billing", "another rotator (rotation billing)"), (None, "somebody")],
)
def test_who_writes_a_value_too(rotation: str | None, who: str) -> None:
    """A mark on it names the other rotator; without one nobody knows. Nine are enough."""
    place = Place(content=Content.PASSWORD, registry=HOST)
    here = site(targets=[place])
    here.cycle()
    counts = []
    for number in range(12):
        mark = replace(foreign({HOST: None}), rotation=rotation) if rotation else None
        place.put(f"s3cr3t-{number}", mark)
        notes = [one for one in target(here.after(300)).notes if "took our entries" in one]
        assert all(note.startswith(who) for note in notes)
        counts += [note.split("out of it ")[1].split(" times")[0] for note in notes]
    assert counts[:7] == ["2", "3", "4", "5", "6", "7", "8"]
    assert set(counts[7:]) == {"at least 9"}


def test_a_dry_run_says_what_would_be_done() -> None:
    """Nothing was repaired, left out or stored beside the document."""
    for text in (
        '{"auths": {"a": {} "b": {}}}',
        json.dumps({"auths": {"broken.example.com": {"auth": "?"}}, "credHelpers": {HOST: "x"}}),
    ):
        here = site()
        here.place.sets_aside = True
        here.place.put(text)
        here.place.compares = True
        planned = target(here.cycle(dry_run=True)).notes
        assert (here.place.text, here.place.aside) == (text, [])
        done = target(here.cycle()).notes
        assert [note.replace(" would be ", " was ") for note in planned] == list(done)
        assert all(" would be " in note for note in planned)
        assert done
