"""What is in hand before anything is fetched: from memory and from the targets themselves.

What is published is the state: a credential that another rotator or an earlier life of this one
published, that works and lasts, is adopted instead of fetched again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from rotator.core import docker_config
from rotator.core.errors import DriverError
from rotator.core.model import Content, Credential, Held, Verdict
from rotator.core.rotation import FOREVER, InHand, Rotation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from rotator.core.model import Policy, Secret
    from rotator.core.ports import Fingerprint, Source
    from rotator.core.record import Record, TargetRecord

# An issue time further in the future than this means that the clock went back.
_CLOCK_STEP = timedelta(seconds=5)

Seen = dict[tuple[str, str], InHand]
"""Every credential at hand, by registry and fingerprint."""


def recall(
    rotation: Rotation,
    held: Mapping[str, Held],
    memory: Sequence[Credential],
    record: Record,
    *,
    fingerprint: Fingerprint,
    now: datetime,
) -> Seen:
    """Return all credentials of this rotation's registries that memory and targets hold.

    `held`: what each target that could be read holds, by the target's name.
    """
    sources = rotation.served(record)
    seen: Seen = {}

    def add(login: Credential, *, vouched: bool, adopted: bool) -> None:
        name = fingerprint(docker_config.login_text(login.username, login.password))
        source = sources[login.registry]
        found = InHand(login, name, source, adopted=adopted, vouched=vouched)
        mine = with_record(found, record)
        key = (login.registry, mine.fingerprint)
        if key not in seen or mine.rank > seen[key].rank:
            seen[key] = mine

    usernames = {credential.registry: credential.username for credential in memory}
    for target in rotation.targets:
        there = held.get(target.name, Held(None))
        ends = _told_ends(there, record.target(target.name), fingerprint)
        for registry, (username, password) in _logins(there, target.policy, usernames).items():
            if registry in sources:
                login = Credential(registry, username, password, now, ends.get(registry))
                add(login, vouched=registry in ends, adopted=True)
    published = {key for key, mine in seen.items() if mine.vouched}
    followed = {registry for registry, _ in published}
    for credential in memory:
        if credential.registry not in sources:
            continue
        text = docker_config.login_text(credential.username, credential.password)
        known = record.known(credential.registry, fingerprint(text))
        # What is published now counts more than what we remember of others' credentials.
        theirs = known is not None and known.adopted and credential.registry in followed
        if not theirs and (credential.registry, fingerprint(text)) not in published:
            add(credential, vouched=True, adopted=False)
    return seen


def _told_ends(
    held: Held, past: TargetRecord, fingerprint: Fingerprint
) -> Mapping[str, datetime | None]:
    """Return the ends that a target's mark tells, unless somebody edited what the mark is about."""
    if held.mark is None or held.text is None:
        return {}
    ours = held.mark.fingerprint in past.fingerprints
    edited = ours and fingerprint(held.text.reveal()) != held.mark.fingerprint
    return {} if edited else held.mark.expires


def is_alive(mine: InHand, now: datetime) -> bool:
    """Tell whether a credential may still work, so that a proof is worth a request."""
    return not mine.vouched or mine.end > now


def best(seen: Seen, now: datetime) -> dict[str, InHand]:
    """Return the best credential of each registry: not rejected, not ended, the later end first."""
    hand: dict[str, InHand] = {}
    for (registry, _), mine in seen.items():
        if not is_alive(mine, now) or mine.proof.verdict is Verdict.REJECTED:
            continue
        if registry not in hand or mine.rank > hand[registry].rank:
            hand[registry] = mine
    return hand


def is_needed(source: Source, hand: Mapping[str, InHand], record: Record, now: datetime) -> bool:
    """Tell whether a source has something to give: nothing good is in hand, or its time is over."""
    past = record.source(source.name)
    registries = source.registries or past.registries
    if not registries or any(registry not in hand for registry in registries):
        return True
    endless = any(hand[registry].end == FOREVER for registry in registries)
    if past.poll_at is None and (source.changes_early or endless):
        return True
    if past.poll_at is not None and past.poll_at <= now:
        return True
    # The clock went back: every end looks later than it is.
    if record.ended_at is not None and record.ended_at > now + _CLOCK_STEP:
        return True
    return any(_is_over(hand[registry], record, now) for registry in registries)


def is_waiting(source: Source, record: Record, now: datetime) -> bool:
    """Tell whether a source that failed has to be left alone for a while."""
    past = record.source(source.name)
    if past.trouble is None or past.attempted_at is None:
        return False
    if past.trouble.login_stamp is not None and past.trouble.login_stamp != source.login_stamp():
        return False
    # An attempt in the future: the clock went back, and the wait is as wrong.
    return past.attempted_at <= now < past.trouble.retry_at


def _is_over(mine: InHand, record: Record, now: datetime) -> bool:
    """Tell whether a credential's time to be renewed has come."""
    known = record.known(mine.credential.registry, mine.fingerprint)
    if not mine.vouched:
        return True
    if known is None or known.expires_at != mine.credential.expires_at:
        # Adopted, or lengthened by whoever fetched it: its time is drawn before the first write.
        return False
    return known.renew_at is not None and known.renew_at <= now


def with_record(mine: InHand, record: Record) -> InHand:
    """Return the credential with the life and lease that the journal knows, if it knows it."""
    login = mine.credential
    known = record.known(login.registry, mine.fingerprint)
    if known is None:
        return mine
    if known.adopted and mine.vouched and login.expires_at != known.expires_at:
        # Whoever fetched it tells another end now: a lease was lengthened.
        return mine
    whole = replace(
        login, issued_at=known.issued_at, expires_at=known.expires_at, lease=known.lease
    )
    outdated = known is not record.credentials[login.registry][0]
    return replace(mine, credential=whole, adopted=known.adopted, vouched=True, outdated=outdated)


def _logins(
    held: Held, policy: Policy, usernames: Mapping[str, str]
) -> Mapping[str, tuple[str, Secret]]:
    if held.text is None:
        return {}
    username = usernames.get(policy.registry or "")
    if policy.content is Content.PASSWORD and policy.registry and username:
        return {policy.registry: (username, held.text)}
    if policy.content is not Content.DOCKER_CONFIG:
        return {}
    try:
        return docker_config.decode(held.text.reveal()).logins()
    except DriverError:
        return {}
