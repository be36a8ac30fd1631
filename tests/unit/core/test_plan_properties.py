"""What holds of every plan: nothing of others is lost, and a plan that was carried out is the last.

Situations are made from parts that need not fit together: a plan is right for each of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import assume, event, given
from msgspec.structs import replace

from rotator.core.docker_config import DockerConfig
from rotator.core.docker_entry import is_decodable, registry_key
from rotator.core.docker_salvage import salvage
from rotator.core.model import Content, Held, Merge
from rotator.core.plan import plan
from rotator.core.record_targets import with_document
from rotator.core.situation import HoldBack, Keep, Situation, Write
from tests.unit.core.strategies import Kind, decoded, is_spelled_otherwise, new_examples, situations

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def written(s: Situation) -> tuple[Write, DockerConfig]:
    """Return what is written to a target that holds a whole document; other cases are left out."""
    decision = plan(s)
    event(type(decision).__name__)
    assume(isinstance(decision, Write))
    assert isinstance(decision, Write)
    after = decoded(decision.text.reveal())
    assert after is not None
    return decision, after


def stays(s: Situation, key: str) -> bool:
    """Tell whether an entry is none that a plan may change or take out."""
    return registry_key(key) not in s.chosen.keys() | s.remove


def without_helpers(rest: Mapping[str, Any], s: Situation) -> dict[str, Any]:
    """Return the other keys of a document, without the credential helpers of our registries."""
    found = {}
    for key, value in rest.items():
        if key == "credHelpers":
            value = {k: v for k, v in value.items() if registry_key(k) not in s.chosen}  # noqa: PLW2901
        found[key] = value
    return {key: value for key, value in found.items() if value != {}}


@new_examples(40)
@given(situations(Kind.DOCUMENT))
def test_a_write_keeps_what_is_not_ours(s: Situation) -> None:
    """Entries, also those of ours whose source gave nothing, and every other key.

    What is taken out is said.
    """
    before = s.observation.config
    assert before is not None
    decision, after = written(s)
    replaced = s.policy.merge is Merge.REPLACE and s.complete
    for key, entry in before.auths.items():
        mine = registry_key(key) in s.registries
        if stays(s, key) and is_decodable(entry) and (mine or not replaced):
            assert after.auths[key] == entry
        elif key not in after.auths and registry_key(key) not in s.chosen:
            assert key in {change.registry for change in decision.changes}
    if not replaced:
        assert without_helpers(after.rest, s) == without_helpers(before.rest, s)


@new_examples(50)
@given(situations(Kind.DOCUMENT, Kind.DAMAGED, Kind.NOTHING))
def test_a_write_puts_nothing_there_that_nobody_has(s: Situation) -> None:
    """Each entry of ours in it is a candidate that may be published, or was there before."""
    decision, after = written(s)
    before = s.observation.config or s.remembered or DockerConfig()
    there = s.entries_of(before)
    for registry, name in s.entries_of(after).items():
        if registry in s.chosen and there.get(registry) != name:
            assert name == s.chosen[registry].fingerprint
            assert not s.chosen[registry].rejected
    assert decision.entries == s.entries_of(after)


@new_examples(40)
@given(situations(Kind.DAMAGED))
def test_a_damaged_document_is_replaced_only_where_nothing_is_lost(s: Situation) -> None:
    """It is stored beside the document, remembered, or ours; or somebody said `merge: replace`."""
    text = s.held.text.reveal() if s.held.text else ""
    assume(text.strip() and s.observation.config is None)
    decision, after = written(s)
    if s.policy.merge is Merge.REPLACE:
        return
    remembered = s.remembered or (salvage(text) if not decision.set_aside else None)
    assert decision.set_aside or remembered is not None
    for key, entry in (remembered or DockerConfig()).auths.items():
        if stays(s, key) and is_decodable(entry):
            assert after.auths[key] == entry


@new_examples(120)
@given(situations(Kind.HIDDEN))
def test_what_can_not_be_read_is_never_merged(s: Situation) -> None:
    """A hidden value is written where it may be replaced, and all that lives in it is there."""
    decision = plan(s)
    if not isinstance(decision, Write):
        return
    if s.policy.merge is Merge.PRESERVE:
        assert s.held.mark is not None
        assert s.held.mark.expires.keys() <= s.registries | s.remove
    assert s.complete
    alive = {r for r, end in s.past.ends.items() if end > s.now} & s.registries
    assert alive <= decision.entries.keys()


def carried_out(s: Situation, decision: Write) -> Situation:
    """Return the situation of the next cycle after a write, where nothing else changed."""
    target, text = s.observation.target, decision.text.reveal()
    mark = decision.mark if target.marks else None
    held = Held(None if s.held.withheld else decision.text, mark, withheld=s.held.withheld)
    fingerprint = decision.mark.fingerprint
    past = with_document(s.past, fingerprint)
    past = replace(
        past,
        written=fingerprint,
        written_at=s.now,
        entries=decision.entries,
        mark=fingerprint,
        edited="",
    )
    whole = s.policy.content is Content.DOCKER_CONFIG and not s.held.withheld
    config = decoded(text) if whole else None
    observation = replace(s.observation, held=held, config=config)
    return replace(s, observation=observation, past=past)


@new_examples(50)
@given(situations())
def test_a_plan_that_was_carried_out_is_the_last(s: Situation) -> None:
    """Planning again keeps what is there."""
    assume(not is_spelled_otherwise(s))
    decision = plan(s)
    event(type(decision).__name__)
    if isinstance(decision, Write):
        # Another rotator's entry that stayed may make way under our own mark, once.
        assume(all(decision.entries.get(r) == one.fingerprint for r, one in s.chosen.items()))
        again = plan(carried_out(s, decision))
        assert isinstance(again, Keep)


@new_examples(60)
@given(situations(Kind.DOCUMENT, Kind.NOTHING))
def test_the_same_situation_gives_the_same_plan(s: Situation) -> None:
    """Nothing is drawn, and the order in which candidates were found does not matter."""
    turned = replace(
        s,
        chosen=dict(reversed(s.chosen.items())),
        candidates=dict(reversed(s.candidates.items())),
    )
    assert plan(turned) == plan(s)


@new_examples(40)
@given(situations(Kind.NOTHING, Kind.DAMAGED, Kind.HIDDEN))
def test_what_is_held_back_says_why_and_what_to_do(s: Situation) -> None:
    """And an empty target is not written without a credential."""
    decision = plan(s)
    if isinstance(decision, HoldBack):
        assert decision.failure.detail
        assert decision.failure.hint
    if not s.chosen and s.held.text is None:
        assert not isinstance(decision, Write)
