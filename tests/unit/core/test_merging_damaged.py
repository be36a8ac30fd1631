"""What becomes of a document that no client can read."""

from __future__ import annotations

import pytest

from rotator.core.model import Merge
from tests.simulation.world import World, WorldSource
from tests.support import MARKED
from tests.unit.core.builders import HOST, OTHER, document, down, site, target
from tests.unit.core.drivers import Place


def test_a_typo_loses_nothing_of_what_others_had() -> None:
    """The daemon remembers what it read last."""
    here = site()
    here.place.put(document({OTHER: "s3cr3t-theirs"}, HttpHeaders={"X": "y"}))
    here.cycle()
    here.place.put((here.place.text or "").replace(",", " ", 1))
    report = here.after(300)
    assert here.place.password(OTHER) == "s3cr3t-theirs"
    assert here.place.document.rest == {"HttpHeaders": {"X": "y"}}
    assert (target(report).outcome, report.job_safe) == ("written", True)
    assert any("repaired" in note for note in target(report).notes)


def test_where_nobody_remembers_the_damaged_text_is_set_aside() -> None:
    """After a restart, where there is a place beside."""
    here = site()
    here.place.sets_aside = True
    here.cycle()
    broken = '{"auths": {"a": {} "b": {}}}'
    here.place.put(broken)
    here.restart()
    report = here.after(300)
    assert here.place.password()
    assert here.place.aside == [broken]
    assert any(".broken" in note for note in target(report).notes)


def test_where_nobody_remembers_and_nothing_is_beside_it_is_held_back() -> None:
    """A GitLab variable: what others had in it would be lost."""
    here = site()
    here.cycle()
    here.place.put('{"auths": {"a": {} "b": {}}}')
    here.restart()
    report = here.after(300)
    assert (target(report).outcome, report.job_safe) == ("failed", False)
    assert here.place.text == '{"auths": {"a": {} "b": {}}}'


def test_what_is_whole_of_a_text_that_was_cut_off_stays() -> None:
    """Ours was cut off by a full disk: the entries that are whole are others' too."""
    here = site()
    here.place.put(document({"a.example.com": "s3cr3t-a", OTHER: "s3cr3t-theirs"}))
    here.cycle()
    text = here.place.text or ""
    here.place.put(text[: text.index(OTHER) + 5])
    here.restart()
    here.after(300)
    assert here.place.password("a.example.com") == "s3cr3t-a"
    assert here.place.password() == f"{MARKED}2"


def test_what_is_whole_of_ours_stays_with_merge_replace_too() -> None:
    """Its source is down; others' entries go."""
    world = World()
    sources = [WorldSource(world), WorldSource(world, OTHER, "other")]
    here = site(world, sources=sources, targets=[Place(merge=Merge.REPLACE)])
    here.cycle()
    text = here.place.text or ""
    cut = text[: text.index(HOST) + 5].replace('{"other', '{"a.example.com":{"auth":"YTpi"},"other')
    here.place.put(cut)
    sources[1].broken = down()
    here.restart()
    here.after(300)
    assert here.place.password(OTHER) == f"{MARKED}2"
    assert here.place.document.auths.keys() == {HOST, OTHER}


@pytest.mark.parametrize("compares", [True, False])
def test_an_entry_of_a_source_that_leaves_is_remembered_in_a_repair(*, compares: bool) -> None:
    """From now on it is somebody else's; the typo and the new configuration come together."""
    world = World()
    sources = [WorldSource(world), WorldSource(world, OTHER, "other")]
    here = site(world, sources=sources)
    here.place.compares = compares
    here.cycle()
    here.place.put('{"auths": {"a": {} "b": {}}}')
    here.configure(sources=(sources[0],))
    here.after(300)
    assert here.place.password(OTHER) == f"{MARKED}2"
