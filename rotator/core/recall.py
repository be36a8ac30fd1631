"""The step that finds the candidates that are there already: in the targets and in memory.

What is published is the state. A credential that works and lasts is used, and not fetched again,
whether another rotator published it or this one did before it was restarted.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from rotator.core.candidate import FOREVER, Candidate, key_of
from rotator.core.docker_config import DockerConfig  # noqa: TC001  a Struct's field
from rotator.core.docker_entry import login_text
from rotator.core.model import Credential, Verdict
from rotator.core.schedule import is_ahead
from rotator.core.token_end import token_end

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from rotator.core.observe import Observation
    from rotator.core.ports import Fingerprint
    from rotator.core.record import KnownCredential, Record, TargetRecord
    from rotator.core.rotation import Rotation


class Memory(Struct, frozen=True):
    """What a daemon carries from one cycle to the next; none of it is on disk.

    `credentials`: with their passwords. `documents`: what each target held when it was last read.
    """

    credentials: tuple[Credential, ...] = ()
    documents: Mapping[str, DockerConfig] = {}


def recall(
    rotation: Rotation,
    observed: Mapping[str, Observation],
    memory: Memory,
    record: Record,
    fingerprint: Fingerprint,
    now: datetime,
) -> dict[tuple[str, str], Candidate]:
    """Return all candidates for this rotation's registries that targets and memory hold."""
    sources = rotation.sources_by_registry(record)
    found: dict[tuple[str, str], Candidate] = {}
    for observation in observed.values():
        if observation.held is None or observation.config is None:
            continue
        past = record.target(observation.target.name)
        ends = claimed_ends(observation, past, fingerprint)
        for registry, (username, password) in observation.config.logins().items():
            if registry not in sources:
                continue
            credential = Credential(registry, username, password, now)
            key = key_of(credential, fingerprint)
            one = Candidate(credential, key[1], sources[registry], foreign=True)
            one = _with_end(one, ends, record, now)
            other = found.get(key)
            if other is None or one.rank > other.rank:
                found[key] = one
    published = {registry for (registry, _), one in found.items() if one.end_known}
    left_out = [record.target(name) for name, one in observed.items() if one.left_out]
    elsewhere = {entry for target in left_out for entry in target.entries.values()}
    for credential in memory.credentials:
        key = key_of(credential, fingerprint)
        there = found.get(key)
        if credential.registry not in sources or (there is not None and there.end_known):
            continue
        known = record.known(*key)
        replaced = credential.registry in published and key[1] not in elsewhere
        if known is not None and known.foreign and replaced:
            continue  # its owner published another one since, and may end this one
        one = Candidate(credential, key[1], sources[credential.registry])
        found[key] = one if known is None else with_record(one, known, record)
    return {
        key: _with_pending(_with_doubt(one, now), record, rotation, now)
        for key, one in found.items()
    }


def with_record(one: Candidate, known: KnownCredential, record: Record) -> Candidate:
    """Return a candidate with the life, the lease and the verdict that the journal knows."""
    newest = record.credentials[one.registry][0]
    return replace(
        one,
        credential=replace(
            one.credential,
            issued_at=known.issued_at,
            expires_at=known.expires_at,
            lease=known.lease,
        ),
        foreign=known.foreign,
        end_known=True,
        superseded=known is not newest,
        earlier_verdict=known.verdict,
        claim=known.claim,
    )


def _with_end(
    one: Candidate, ends: Mapping[str, datetime | None], record: Record, now: datetime
) -> Candidate:
    """Return a candidate from a target with the end that is known of it.

    The journal knows it, or the token holds it, or the target's mark gives it (`ends`). A mark's
    end is a claim of another rotator, whose clock may be wrong. It is believed up to the longest
    life that a credential of this source had here. That life is counted from the last cycle that
    read all targets, as the credential was in none of them then.

    The journal does not count for another rotator's credential whose claim has changed: its owner
    lengthened it. Nor for one that was noted while our clock was ahead: we would doubt an end that
    the other rotator believes, and the two would replace each other's entries. Nor for one of ours
    that we replaced and whose lease somebody else lengthened: two hosts began with the same disk,
    and the other one still uses it.
    """
    is_marked, claim = one.registry in ends, ends.get(one.registry)
    known = record.known(one.registry, one.fingerprint)
    if known is None or not is_marked:
        counts = known is not None
    elif known.foreign:
        counts = claim == known.claim and not is_ahead(known.issued_at, now)
    else:
        retired = any(one.fingerprint in lease.fingerprints for lease in record.retired)
        counts = not (retired and (claim or FOREVER) > (known.expires_at or FOREVER))
    if known is not None and counts:
        return _with_capped_end(with_record(one, known, record), record, now)
    end = token_end(one.credential.password)
    if end is None and not is_marked:
        return replace(one, end_known=False)
    if end is None:
        end, longest = claim, record.source(one.source).longest_life
        if longest is not None:
            since = min(record.whole_at or record.started_at or now, now)
            believed = since + timedelta(seconds=longest)
            end = believed if end is None else min(end, believed)
    earlier = "" if known is None else known.verdict
    changed = replace(one.credential, expires_at=end)
    return replace(one, credential=changed, claim=claim, earlier_verdict=earlier)


def _with_capped_end(one: Candidate, record: Record, now: datetime) -> Candidate:
    """Return a candidate; another rotator's ends at the latest after its source's longest life.

    That is counted from now. The journal can hold a later end: no life was known when it was noted,
    or the clock went back.
    """
    longest = record.source(one.source).longest_life
    if not one.foreign or longest is None or token_end(one.credential.password) is not None:
        return one
    latest = now + timedelta(seconds=longest)
    if one.end <= latest:
        return one
    return replace(one, credential=replace(one.credential, expires_at=latest))


def _with_doubt(one: Candidate, now: datetime) -> Candidate:
    """Return a candidate; its end counts as unknown where the one that we know may be wrong.

    It may be where the clock was ahead when it was fetched. It also may be where another rotator's
    has ended by the end that we believe, and not by its claim: then it stays as long as its
    registry accepts it. An end that the token itself holds counts in either case.
    """
    ahead = is_ahead(one.credential.issued_at, now)
    claim_lasts = one.claim is None or one.claim > now
    if not (ahead or (one.foreign and one.has_ended(now) and claim_lasts)):
        return one
    own = token_end(one.credential.password)
    if own is None:
        return replace(one, end_known=False)
    return replace(one, credential=replace(one.credential, expires_at=own))


def _with_pending(one: Candidate, record: Record, rotation: Rotation, now: datetime) -> Candidate:
    """Return a candidate; one that its registry does not know yet is pending during `settle`."""
    pending = record.pending.get(one.registry)
    if pending is None or pending.fingerprint != one.fingerprint:
        return one
    waits = rotation.within_settle(pending.since, now)
    # Its registry rejected it; a registry that can't be asked now says nothing else.
    earlier = one.earlier_verdict or str(Verdict.REJECTED)
    return replace(one, pending=waits, earlier_verdict=earlier)


def claimed_ends(
    observation: Observation, past: TargetRecord, fingerprint: Fingerprint
) -> Mapping[str, datetime | None]:
    """Return the ends in a target's mark; none where somebody edited the document since.

    Nobody knows then which entries these ends are of.
    """
    held = observation.held
    if held is None or held.mark is None or held.text is None:
        return {}
    if held.mark.fingerprint == past.edited:
        return {}
    # Only the rotator that wrote a mark can compare its fingerprint with the text. Under any mark
    # that has not changed since our last read, an entry that has changed was edited.
    ours = held.mark.fingerprint in past.fingerprints
    edited = ours and fingerprint(held.text.reveal()) != held.mark.fingerprint
    if held.mark.fingerprint == past.mark and observation.config is not None:
        entries = entries_of(observation.config, fingerprint)
        edited = edited or any(entries.get(r) != entry for r, entry in past.entries.items())
    return {} if edited else held.mark.expires


def entries_of(config: DockerConfig, fingerprint: Fingerprint) -> dict[str, str]:
    """Return the fingerprint of every login in a document, by registry."""
    logins = config.logins()
    return {registry: fingerprint(login_text(*logins[registry])) for registry in logins}
