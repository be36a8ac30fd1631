"""Judges a docker config that a job used: whose entries, how old, and what is published now.

Nothing of the document is printed but its registries' names.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from rotator import targets
from rotator.checks.case import SECONDS
from rotator.checks.finding import Sheet
from rotator.checks.registry import oddities, proofs
from rotator.core import docker_config
from rotator.core.errors import DriverError
from rotator.core.model import Content, Credential, Held, Proof, Secret, Verdict
from rotator.decoding import load
from rotator.observe.words import relative
from rotator.system.each import ThreadedEach

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from rotator.checks.case import Case
    from rotator.checks.finding import Finding
    from rotator.config.targets import Target as TargetSettings
    from rotator.core.ports import Target
    from rotator.core.record import KnownCredential

LARGEST = 1 << 20
"""Bytes that are read of a document: a docker config is some kilobytes."""

_OUTLIVED = (
    "the job kept an older document than is published: where jobs outlive a renewal, mount the "
    "directory, not the file (`sub_path` in Kubernetes), or shorten the job"
)


@dataclass(frozen=True, slots=True)
class _Published:
    """One target of one rotation, and what it holds now, or why that can't be told."""

    case: Case
    target: TargetSettings
    answer: Held | Exception


@dataclass(frozen=True, slots=True)
class _Ours:
    """What the journal knows of an entry: `newest` where nothing has replaced it."""

    case: Case
    known: KnownCredential
    newest: bool


def judge(data: bytes, name: str, cases: Sequence[Case]) -> list[Finding]:
    """Return what there is to say of a document; `cases` are the rotations that may have made it.

    Asks each registry once and reads the targets, all at once and within some seconds.
    """
    sheet = Sheet(name)
    text = _text(data, sheet)
    if text is None:
        return sheet.findings
    try:
        config = docker_config.decode(text)
    except DriverError as error:
        sheet.failure(error.detail, "clients then go on without any login, some of them silently")
        return sheet.findings
    _whole(text, cases, sheet)
    oddities(config, sheet)
    logins = {
        registry: Credential(registry, username, password, cases[0].clock())
        for registry, (username, password) in config.logins().items()
    }
    if not config.auths:
        sheet.failure(
            "it has no entry, so every registry is asked without a login", _missing(cases)
        )
    # Two fan-outs side by side: what registries say, and what the targets hold.
    steps: list[Callable[[], object]] = [
        partial(_proofs, list(logins.values()), cases[0]),
        partial(_read, cases),
    ]
    asked, read = ThreadedEach()(_call, steps, SECONDS)
    verdicts = asked if isinstance(asked, dict) else {}
    holding = read if isinstance(read, list) else []
    sheets = [
        _entry(key, logins.get(docker_config.registry_key(key)), verdicts, holding, cases)
        for key in sorted(config.auths)
    ]
    return [*sheet.findings, *(f for each in sheets for f in each.findings), *_unread(holding)]


def _call(step: Callable[[], object]) -> object:
    return step()


def _text(data: bytes, sheet: Sheet) -> str | None:
    """Return the document's text; say plainly what it is where it can't be one."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        sheet.failure("it is not UTF-8 text, so no client can read it", "write it anew")
        return None
    bare = text.strip()
    if len(data) > LARGEST:
        sheet.failure("it is larger than 1 MiB, and a docker config never is", "see what it is")
    elif not bare:
        sheet.failure(
            "it is empty: docker then goes on silently without a login",
            "see whether the job got the variable at all (protected? another environment?), or "
            "whether the file was truncated",
        )
    elif bare.startswith("/") and "\n" not in bare:
        sheet.failure(
            "it is a path, not a document: the variable is of type File, or it was echoed instead "
            "of the file's content",
            "make it a Variable, or: cp $DOCKER_AUTH_CONFIG ~/.docker/config.json",
        )
    elif bare.startswith("\ufeff"):
        sheet.failure("it begins with a byte order mark, so no client can read it", "write it anew")
    else:
        return text
    return None


def _whole(text: str, cases: Sequence[Case], sheet: Sheet) -> None:
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
                sheet.ok(f"it is what rotator wrote last to {target}, {when}")
            else:
                sheet.warning(f"rotator wrote it to {target}, and a newer one {when}", _OUTLIVED)
            return
    sheet.ok("no document that rotator wrote as a whole, as far as its journal goes back")


def _proofs(logins: Sequence[Credential], case: Case) -> dict[str, Proof]:
    return dict(zip((one.registry for one in logins), proofs(logins, case), strict=True))


def _read(cases: Sequence[Case]) -> list[_Published]:
    every = [
        (case, target)
        for case in cases
        for target in case.rotation.targets
        if target.enabled and target.content is Content.DOCKER_CONFIG
    ]

    drivers = [
        load(targets.DRIVERS[target.type]).build(target, target.policy(), case.clock)
        for case, target in every
    ]
    answers = ThreadedEach()(_held, drivers, SECONDS * 0.9)
    return [_Published(*one, answer) for one, answer in zip(every, answers, strict=True)]


def _held(driver: Target) -> Held:
    return driver.read()


def _entry(
    key: str,
    login: Credential | None,
    verdicts: Mapping[str, Proof],
    holding: Sequence[_Published],
    cases: Sequence[Case],
) -> Sheet:
    """Return what there is to say of one entry."""
    registry = docker_config.registry_key(key)
    sheet = Sheet(docker_config.shown(key))
    if login is None:
        sheet.failure(
            "no client can decode this entry as a user name and a password",
            "log in there again, or take the entry out: it breaks its neighbours too",
        )
        return sheet
    now = cases[0].clock()
    ours = _ours(login, cases)
    whose = "a foreign entry: rotator's journal does not know it"
    if ours is not None:
        newest = "the newest" if ours.newest else "replaced since"
        whose = f"ours (rotation {ours.case.rotation.name}, {newest}), {_age(ours.known, now)}"
    proof = verdicts.get(registry, Proof(Verdict.UNKNOWN, "no answer in time"))
    if proof.verdict is Verdict.ACCEPTED:
        sheet.ok(f"{whose}; its registry accepts it now")
    elif proof.verdict is Verdict.REJECTED:
        todo = "whoever wrote it has to log in again"
        if ours is not None:
            todo = f"rotator run-once {ours.case.rotation.name}" if ours.newest else _OUTLIVED
        sheet.failure(f"{whose}; its registry rejects it now: {proof.detail}", todo)
    else:
        why = proof.detail or "proofs are off (`prove: off`)"
        sheet.warning(
            f"{whose}; its registry can't be asked: {why}",
            f"docker login {docker_config.shown(registry)}",
        )
    for place in holding:
        _compare(login, place, sheet)
    return sheet


def _ours(login: Credential, cases: Sequence[Case]) -> _Ours | None:
    text = docker_config.login_text(login.username, login.password)
    for case in cases:
        known = case.fingerprint and case.record.known(login.registry, case.fingerprint(text))
        if known:
            return _Ours(case, known, known == case.record.credentials[login.registry][0])
    return None


def _age(known: KnownCredential, now: datetime) -> str:
    began = f"{'first seen' if known.foreign else 'fetched'} {relative(known.issued_at, now)}"
    if known.expires_at is None:
        return f"{began}, without a known end"
    return f"{began}, {'ends' if known.expires_at > now else 'ended'} " + relative(
        known.expires_at, now
    )


def _compare(login: Credential, place: _Published, sheet: Sheet) -> None:
    """Say what a target publishes for the entry's registry now."""
    if not isinstance(place.answer, Held) or place.answer.withheld:
        return
    if login.registry not in place.case.wanted(place.target):
        return
    where, now = place.target.target_name, _login(place.answer, login.registry)
    if now is None:
        sheet.warning(
            f"{where} holds nothing for it now", f"rotator run-once {place.case.rotation.name}"
        )
    elif now == (login.username, login.password):
        sheet.ok(f"{where} publishes the same")
    else:
        theirs = Credential(login.registry, *now, login.issued_at)
        ours = _ours(theirs, [place.case])
        age = f"ours, {_age(ours.known, login.issued_at)}" if ours else "not ours"
        sheet.ok(f"{where} publishes another one now ({age})")


def _login(held: Held, registry: str) -> tuple[str, Secret] | None:
    text = held.text.reveal() if held.text else "{}"
    try:
        return docker_config.decode(text).logins().get(registry)
    except DriverError:
        return None


def _unread(holding: Sequence[_Published]) -> list[Finding]:
    findings: list[Finding] = []
    for place in holding:
        sheet = Sheet(place.target.target_name)
        if isinstance(place.answer, DriverError):
            sheet.warning(
                f"what it publishes now can't be told: {place.answer.detail}", place.answer.hint
            )
        elif isinstance(place.answer, Exception):
            sheet.error(place.answer)
        elif place.answer.withheld:
            sheet.ok("it hides its value, so what it publishes now can't be told")
        findings += sheet.findings
    return findings


def _missing(cases: Sequence[Case]) -> str:
    return f"rotator run-once {' '.join(case.rotation.name for case in cases)}"
