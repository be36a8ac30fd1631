"""What the targets hold now: read, compared with what was published, nothing changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rotator.core import docker_config, docker_entry
from rotator.core.errors import DriverError
from rotator.core.failure import Failure
from rotator.core.model import Content
from rotator.observe.view_model import EntryFound, Found
from rotator.system.each import ThreadedEach

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rotator.core.model import Held
    from rotator.core.ports import Fingerprint, Target
    from rotator.core.record import Record

READ_SECONDS = 20.0
"""How long one target may take."""


class ReadTarget(NamedTuple):
    """A target to read, and what is recorded of its rotation, with all its registries."""

    rotation: str
    target: Target
    record: Record
    registries: frozenset[str]
    fingerprint: Fingerprint


def read_targets(targets: Iterable[ReadTarget]) -> Mapping[tuple[str, str], Found]:
    """Read the targets at once; return what each held, by the names of rotation and target.

    The targets of a group count as one, under its name.
    """
    every = [one for one in targets if one.target.policy.enabled]
    found: dict[tuple[str, str], Found] = {}
    groups: dict[tuple[str, str], list[tuple[str, Found]]] = {}
    drivers = [one.target for one in every]
    answers = ThreadedEach()(lambda target: target.read(), drivers, READ_SECONDS)
    for one, answer in zip(every, answers, strict=True):
        name = one.target.name
        held = (
            unread(Failure.of(answer), one.target)
            if isinstance(answer, Exception)
            else _found(one, answer)
        )
        if one.target.group is None:
            found[one.rotation, name] = held
        else:
            groups.setdefault((one.rotation, one.target.group), []).append((name, held))
    for group, members in groups.items():
        differing = sorted((m for m in members if m[1].differs), key=lambda m: not m[1].lacks)
        found[group] = Found(objects=len(members), differing=tuple(differing))
    return found


def unread(failure: Failure, target: Target, mark: str | None = None) -> Found:
    """Return what is known of a target that could not be read."""
    gone = target.local or not failure.leaves_document
    return Found((), mark, str(failure.reason), failure.detail, failure.hint, gone)


def _found(asked: ReadTarget, held: Held) -> Found:
    past = asked.record.target(asked.target.name).fingerprints
    mark = None
    if held.mark is not None:
        mark = "ours" if held.mark.fingerprint in past else "foreign"
    try:
        return Found(tuple(_entries(asked, held)), mark)
    except DriverError as error:
        return unread(Failure.of(error), asked.target, mark)


def _entries(asked: ReadTarget, held: Held) -> Iterable[EntryFound]:
    policy, record = asked.target.policy, asked.record
    wanted = sorted(filter(policy.wants, asked.registries))
    ends = held.mark.expires if held.mark else {}
    if held.withheld or held.text is None:
        entry = "withheld" if held.withheld else "missing"
        return [EntryFound(registry, entry, ends.get(registry)) for registry in wanted]
    there: dict[str, str] = {}
    known: dict[str, tuple[str, ...]] = {}
    if policy.content is not Content.DOCKER_CONFIG:
        past = record.target(asked.target.name)
        there = dict.fromkeys(wanted, asked.fingerprint(held.text.reveal()))
        known = dict.fromkeys(wanted, (past.written, *past.fingerprints))
    else:
        for registry, login in docker_config.decode(held.text.reveal()).logins().items():
            there[registry] = asked.fingerprint(docker_entry.login_text(*login))
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
