"""What the entries in a target are worth: until when a job can pull with each of them.

Nothing else decides that. `job_safe`, status, metrics, the page and `check --document`
are made from the answer.

| what is known of a registry's entry in an enabled target | it counts as |
| --- | --- |
| its registry accepted it at the last proof | good until its end, or for ever if it has none |
| it could not be proven, and we fetched it or a mark gives its end | good until its end |
| its registry rejected it | not good |
| missing, undecodable, or in a document that clients can't read | not good |
| `credsStore` or `credHelpers` make clients ask somebody else | not good |
| the target can't be read, and jobs can still read it | as last read, until its end |
| a local file that can't be read, or is gone | not good |
| withheld, and the mark is the one that we wrote last | as written, until its end |
| withheld, and the mark is another one | not good, until it is written again |
| somebody took it out at two reads in a row | not good, until it is found there |
| another rotator's, back after a later one had replaced it | not good, until the next read |
| nothing says when or whether it ends, or the clock was ahead when it was fetched | not good |
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from rotator.core.candidate import DEAD, FOREVER, Candidates
from rotator.core.docker_entry import registry_key
from rotator.core.model import Verdict
from rotator.core.schedule import is_ahead

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from rotator.core.candidate import Candidate
    from rotator.core.docker_config import DockerConfig
    from rotator.core.observe import Observation
    from rotator.core.record import KnownCredential, Record, TargetRecord
    from rotator.core.rotation import Rotation
    from rotator.core.situation import Situation
    from rotator.core.write import Handled

_TAKEN_OUT = 2


def worth_of_target(
    observation: Observation,
    handled: Handled | None,
    sources: Mapping[str, str],
    candidates: Candidates,
    record: Record,
    chosen: Mapping[str, Candidate],
    now: datetime,
) -> dict[str, datetime]:
    """Return until when a job can pull from each of these registries with what is in a target.

    `DEAD` where it can't. `sources`: the source of each registry that belongs in the target.
    `handled`: what the cycle did with it, None where it was not read.
    """
    past = record.target(observation.target.name)
    if handled is None:
        pasts = [past]
        if observation.target.is_group:
            pasts = [one for one in record.targets.values() if one.group == observation.target.name]
        if not (counts_as_last_read(observation) and pasts):
            return dict.fromkeys(sources, DEAD)
        return {
            r: min(_worth_at_last_read(r, past, candidates, record, chosen, now) for past in pasts)
            for r in sources
        }
    s, entries = handled.situation, entries_now(handled)
    # A journal of version 0.1.0 does not name the entries of a value that it wrote.
    is_ours = _is_what_we_wrote_last(s) and handled.write is None
    if handled.stale or (is_ours and not entries and not past.entries):
        return {r: _worth_at_last_read(r, past, candidates, record, chosen, now) for r in sources}
    if past.drifted >= _TAKEN_OUT:
        return dict.fromkeys(sources, DEAD)
    return {
        r: _worth_now(candidates, r, entries.get(r), source, s, record)
        for r, source in sources.items()
    }


def counts_as_last_read(observation: Observation) -> bool:
    """Tell whether a target that was not read counts as what it held when it was read last."""
    if observation.failure is None:
        return True
    return not observation.target.local and observation.failure.leaves_document


def _is_what_we_wrote_last(s: Situation) -> bool:
    """Tell whether a value with one writer is the one that we wrote last."""
    return s.one_writer and bool(s.past.written) and _fingerprint_of_value(s) == s.past.written


def _fingerprint_of_value(s: Situation) -> str:
    """Return the fingerprint of a value with one writer; empty where nobody can tell."""
    if not s.held.withheld:
        return "" if s.held.text is None else s.fingerprint(s.held.text.reveal())
    if s.held.mark is not None:
        return s.held.mark.fingerprint
    return "" if s.observation.target.marks else s.past.written


def entries_now(handled: Handled) -> Mapping[str, str]:
    """Return the fingerprint of each registry's entry that clients find in a target now."""
    if handled.write is None:
        return entries_read(handled.situation)
    entries, config = handled.write.entries, handled.write.config
    return {r: n for r, n in entries.items() if config is None or is_found(config, r)}


def entries_read(s: Situation) -> Mapping[str, str]:
    """Return the fingerprint of each registry's entry that clients find in a target as read."""
    if s.one_writer:
        return _entries_of_value(s)
    config = s.observation.config
    if config is None or config.breaks_clients:
        return {}
    exact = config.logins(exact=True)
    entries = s.entries_of(config)
    return {r: entries[r] for r in exact if is_found(config, r)}


def is_found(config: DockerConfig, registry: str) -> bool:
    """Tell whether all clients use the entry of a registry, not a helper or another key."""
    helped = config.store or registry in map(registry_key, config.helpers)
    return not (helped or config.has_rivals(registry))


def safe_until(
    rotation: Rotation, record: Record, ends: Mapping[str, Mapping[str, datetime]]
) -> datetime:
    """Return until when a job that starts can pull for `longest_job` from every enabled target.

    `ends`: when the entry of each registry ends, by the target's name. `DEAD` without any enabled
    target, and while a source has yet to name its registries.
    """
    limits = [
        end if end in {DEAD, FOREVER} else end - job
        for target in rotation.targets
        if target.policy.enabled and target.name in ends
        for job in [rotation.schedule.longest_job * (not target.policy.follows)]
        for end in ends[target.name].values()
    ]
    return min(limits, default=DEAD) if rotation.is_complete(record) else DEAD


def is_back(one: Candidate, s: Situation, record: Record) -> bool:
    """Tell whether a target holds again what another rotator published and replaced by a later one.

    Its owner may be about to end it: only what is still there at the next read counts.
    """
    if not (one.foreign and one.superseded):
        return False
    ends = (known.expires_at or FOREVER for known in record.credentials.get(one.registry, ()))
    is_new = s.past.entries.get(one.registry) != one.fingerprint
    return is_new and max(ends, default=DEAD) > one.end


def _worth_now(
    candidates: Candidates,
    registry: str,
    fingerprint: str | None,
    source: str,
    s: Situation,
    record: Record,
) -> datetime:
    """Return the worth of an entry that is in a target now."""
    one = candidates.get((registry, fingerprint)) if fingerprint else None
    if one is not None:
        return DEAD if is_back(one, s, record) else one.worth
    if fingerprint is None:
        return DEAD
    # A value with one writer, whose text nobody has.
    known = record.known(registry, fingerprint)
    if known is not None:
        return DEAD if _is_doubtful(known, s.now) else known.expires_at or FOREVER
    # Another rotator wrote it since we proved what was there.
    mark = s.foreign_mark
    if mark is None or registry not in mark.expires:
        return DEAD
    longest = record.source(source).longest_life
    claim = mark.expires[registry] or FOREVER
    return claim if longest is None else min(claim, s.now + timedelta(seconds=longest))


def _worth_at_last_read(
    registry: str,
    past: TargetRecord,
    candidates: Candidates,
    record: Record,
    chosen: Mapping[str, Candidate],
    now: datetime,
) -> datetime:
    """Return the worth of an entry as it was at the last read; never more than is known now."""
    end = past.ends.get(registry, DEAD)
    fingerprint = past.entries.get(registry)
    if end == DEAD or past.drifted >= _TAKEN_OUT:
        return DEAD
    if fingerprint is None:
        # A journal of version 0.1.0 does not name it: then it is not later than what is chosen.
        return min(end, chosen[registry].worth) if registry in chosen else end
    one = candidates.get((registry, fingerprint))
    if one is not None:
        return one.worth
    known = record.known(registry, fingerprint)
    return DEAD if known is not None and _is_doubtful(known, now) else end


def _is_doubtful(known: KnownCredential, now: datetime) -> bool:
    """Tell whether a credential that can't be read may be dead before its end.

    Its registry rejected it, or it was issued in the future: the clock was ahead, as is its end.
    """
    return known.verdict == Verdict.REJECTED or is_ahead(known.issued_at, now)


def _entries_of_value(s: Situation) -> Mapping[str, str]:
    """Return the entries of a value with one writer: of the one that we would write, or wrote."""
    value = s.our_value()
    if value is not None and _fingerprint_of_value(s) == s.fingerprint(value[0]):
        return {registry: one.fingerprint for registry, one in value[1].items()}
    return s.past.entries if _is_what_we_wrote_last(s) else {}
