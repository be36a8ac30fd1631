"""What the targets hold now: read, compared with what was published, nothing changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rotator.core import docker_config, docker_entry
from rotator.core.errors import DriverError
from rotator.core.failure import Failure
from rotator.core.model import Content
from rotator.core.observe import observe, with_members
from rotator.observe.view_model import EntryFound, Found

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from rotator.core.model import Held
    from rotator.core.observe import Observation
    from rotator.core.ports import Clock, Each, Fingerprint, Target
    from rotator.core.record import Record
    from rotator.core.rotation import Rotation


def read_now(
    rotation: Rotation, record: Record, each: Each, fingerprint: Fingerprint, clock: Clock
) -> dict[str, Found]:
    """Read a rotation's targets at once; return what each holds, by its name.

    The targets of a group count as one, under its name.
    """
    whole, unlisted = with_members(rotation, each)
    registries = rotation.sources_by_registry(record)
    found: dict[str, Found] = {}
    groups: dict[str, list[tuple[str, Found]]] = {}
    for name, one in observe(whole, record, each, clock, unlisted, force=True).items():
        held = _found(one, record, registries, fingerprint)
        if one.target.group is None:
            found[name] = held
        else:
            groups.setdefault(one.target.group, []).append((name, held))
    for group, members in groups.items():
        differing = sorted((m for m in members if m[1].differs), key=lambda m: not m[1].lacks)
        found[group] = Found(objects=len(members), differing=tuple(differing))
    return found


def _found(
    one: Observation, record: Record, registries: Collection[str], fingerprint: Fingerprint
) -> Found:
    if one.failure is not None:
        return _unread(one.failure, one.target)
    held, mark = cast("Held", one.held), None
    if held.mark is not None:
        past = record.target(one.target.name).fingerprints
        mark = "ours" if held.mark.fingerprint in past else "foreign"
    try:
        return Found(tuple(_entries(one.target, held, record, registries, fingerprint)), mark)
    except DriverError as error:
        return _unread(Failure.of(error), one.target, mark)


def _unread(failure: Failure, target: Target, mark: str | None = None) -> Found:
    gone = target.local or not failure.leaves_document
    return Found((), mark, str(failure.reason), failure.detail, failure.hint, gone)


def _entries(
    target: Target,
    held: Held,
    record: Record,
    registries: Collection[str],
    fingerprint: Fingerprint,
) -> Iterable[EntryFound]:
    wanted = sorted(filter(target.policy.wants, registries))
    ends = held.mark.expires if held.mark else {}
    if held.withheld or held.text is None:
        entry = "withheld" if held.withheld else "missing"
        return [EntryFound(registry, entry, ends.get(registry)) for registry in wanted]
    there: dict[str, str] = {}
    known: dict[str, tuple[str, ...]] = {}
    if target.policy.content is not Content.DOCKER_CONFIG:
        past = record.target(target.name)
        there = dict.fromkeys(wanted, fingerprint(held.text.reveal()))
        known = dict.fromkeys(wanted, (past.written, *past.fingerprints))
    else:
        for registry, login in docker_config.decode(held.text.reveal()).logins().items():
            there[registry] = fingerprint(docker_entry.login_text(*login))
        for registry in wanted:
            known[registry] = tuple(k.fingerprint for k in record.credentials.get(registry, ()))
    return [
        EntryFound(each, _entry(there.get(each), known[each]), ends.get(each)) for each in wanted
    ]


def _entry(there: str | None, known: tuple[str, ...]) -> str:
    if there is None:
        return "missing"
    if there in known[:1]:
        return "current"
    return "older" if there in known else "foreign"
