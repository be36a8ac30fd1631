"""Compares a docker config that a job used with the configuration: there, missing, foreign.

Nothing of the document is printed but its registries' names.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from rotator import targets
from rotator.checks.document_entry import OUTLIVED, Published, entry_of, missing, without_login
from rotator.checks.registry import problems, proofs
from rotator.checks.wrapping import unwrap
from rotator.clients.document import parse
from rotator.clients.lookups import Consumer
from rotator.core import docker_config, docker_entry
from rotator.core.errors import DriverError
from rotator.core.model import Content, Credential, Proof
from rotator.decoding import load
from rotator.inspection import LONGEST, SECONDS, Findings
from rotator.observe.times import relative
from rotator.system.each import ThreadedEach

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rotator.config.targets import Target as TargetSettings
    from rotator.core.docker_config import DockerConfig
    from rotator.core.ports import Target
    from rotator.inspection import Case, Finding


_UNREADABLE = "write it again as one JSON document: clients go on without any login, some silently"
_MOST_MEMBERS = 16  # that are read of a target that stands for many
_EMPTY = "see which file or variable the job reads, and what is published: rotator status --live"


def judge(data: bytes, name: str, cases: Sequence[Case]) -> list[Finding]:
    """Return the difference between a document and the configuration, one registry at a time.

    `cases` are the rotations that may have made it. Asks each registry once and reads the targets,
    all at once and within some seconds.
    """
    findings = Findings(name)
    text = unwrap(data, findings)
    if text is None:
        return findings.all
    try:
        config = docker_config.decode(text)
    except DriverError as error:
        findings.failure(_cut_off(text) or error.detail, _UNREADABLE)
        return findings.all
    wanted = _wanted(cases)
    _whole(text, cases, findings)
    _counts(config, wanted, findings)
    logins = {
        registry: Credential(registry, username, password, cases[0].clock())
        for registry, (username, password) in config.logins().items()
    }
    # Where the job read it, nobody knows here; most programs in jobs are Docker's.
    surely = (Consumer.DOCKER_FILE,)
    problems(text, tuple(Consumer), logins, findings, surely)
    # Two fan-outs side by side: what registries say, and what the targets hold.
    steps: list[Callable[[], object]] = [
        partial(_proofs, list(logins.values()), cases[0]),
        partial(_read, cases),
    ]
    asked, read = ThreadedEach(longest=LONGEST)(lambda step: step(), steps, SECONDS)
    verdicts = asked if isinstance(asked, dict) else {}
    holding = read if isinstance(read, list) else []
    there = {docker_entry.registry_key(key) for key in config.auths}
    judged = [
        missing(registry, wanted[registry], holding) for registry in sorted(wanted.keys() - there)
    ]
    entries = parse(text).auths
    for key in sorted(config.auths):
        login = logins.get(docker_entry.registry_key(key))
        if login is None:
            judged.append(without_login(key, entries.get(key), wanted))
        else:
            judged.append(entry_of(key, login, verdicts, holding, cases, wanted))
    return [*findings.all, *(f for each in judged for f in each.all), *_unread(holding)]


def _wanted(cases: Sequence[Case]) -> dict[str, str]:
    """Return the registries that belong into a document by the configuration, and the rotation."""
    return {
        registry: case.rotation.name
        for case in reversed(cases)
        if case.rotation.enabled
        for target in case.rotation.targets
        if target.enabled and target.content is Content.DOCKER_CONFIG
        for registry in case.wanted(target)
    }


def _counts(config: DockerConfig, wanted: Mapping[str, str], findings: Findings) -> None:
    """Say in one line what is there and what is missing."""
    there = {docker_entry.registry_key(key) for key in config.auths}
    missing, foreign = wanted.keys() - there, there - wanted.keys()
    text = (
        f"{len(wanted)} configured: {len(wanted.keys() & there)} there, {len(missing)} missing; "
        f"{len(foreign)} more in it"
    )
    if missing:
        findings.failure(text, "see each one below")
    else:
        findings.ok(text)
    if not config.auths:
        findings.failure("it has no entry, so every registry is asked without a login", _EMPTY)


def _cut_off(text: str) -> str:
    """Return a sentence where the document ends too early, as clients say of it."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip()) - 1 or error.msg.startswith("Unterminated string"):
            return f"it is not JSON (line {error.lineno}): it ends in the middle, so it was cut off"
    except (ValueError, RecursionError):
        pass
    return ""


def _whole(text: str, cases: Sequence[Case], findings: Findings) -> None:
    """Say whether rotator wrote just this document, and where."""
    for case in cases:
        if case.fingerprint is None:
            continue
        name = case.fingerprint(text.removesuffix("\n"))
        for target, past in sorted(case.record.targets.items()):
            if name not in past.fingerprints:
                continue
            when = relative(past.written_at, case.clock()) if past.written_at else "some time ago"
            if name == past.fingerprints[0]:
                findings.ok(f"it is what rotator wrote last to {target}, {when}")
            else:
                findings.warning(f"rotator wrote it to {target}, and a newer one {when}", OUTLIVED)
            return
    findings.ok("no document that rotator wrote as a whole, as far as its journal goes back")


def _proofs(logins: Sequence[Credential], case: Case) -> dict[str, Proof]:
    return dict(zip((one.registry for one in logins), proofs(logins, case), strict=True))


def _read(cases: Sequence[Case]) -> list[Published]:
    """Read each target that publishes a document; some members of one that stands for many."""
    every: list[tuple[Case, TargetSettings, Target]] = []
    for case in cases:
        for target in case.rotation.targets:
            if target.enabled and target.content is Content.DOCKER_CONFIG:
                # Loaded before the threads start: that takes time.
                module = load(targets.DRIVERS[target.type].module)
                every.append((case, target, module.build(target, target.policy(), case.clock)))
    groups = [driver for _, _, driver in every if driver.is_group]
    listed = ThreadedEach(longest=LONGEST)(lambda group: group.members(), groups, SECONDS * 0.3)
    members = dict(zip(groups, listed, strict=True))
    known: list[Published] = []
    asked: list[tuple[Case, TargetSettings, Target]] = []
    for case, target, driver in every:
        found = members.get(driver, (driver,))
        if isinstance(found, Exception):
            known.append(Published(case, target, driver.name, found))
        else:
            asked += [(case, target, one) for one in found[:_MOST_MEMBERS]]
    drivers = [driver for _, _, driver in asked]
    answers = ThreadedEach(longest=LONGEST)(
        lambda one: one.read(), drivers, SECONDS * (0.6 if groups else 0.9)
    )
    return known + [
        Published(case, target, driver.name, answer)
        for (case, target, driver), answer in zip(asked, answers, strict=True)
    ]


def _unread(holding: Sequence[Published]) -> list[Finding]:
    unread: list[Finding] = []
    for place in holding:
        findings = Findings(place.name)
        if isinstance(place.answer, DriverError):
            findings.warning(
                f"it is not known what it publishes now: {place.answer.detail}", place.answer.hint
            )
        elif isinstance(place.answer, Exception):
            findings.error(place.answer)
        elif place.answer.withheld:
            findings.ok("it hides its value, so it is not known what it publishes now")
        unread += findings.all
    return unread
