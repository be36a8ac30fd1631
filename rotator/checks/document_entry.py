"""What there is to say of one registry of a docker config that a job used."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rotator.core import docker_config, docker_entry
from rotator.core.errors import DriverError
from rotator.core.model import Credential, Held, Proof, Secret, Verdict
from rotator.inspection import Findings
from rotator.observe.times import end_text, relative

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from rotator.clients.document import Entry
    from rotator.config.targets import Target as TargetSettings
    from rotator.core.record import KnownCredential
    from rotator.inspection import Case

OUTLIVED = (
    "the job had an older document than is published: where jobs outlive a renewal, mount the "
    "directory, not the file (`sub_path` in Kubernetes), or shorten the job"
)


class Published(NamedTuple):
    """One target of one rotation, and what it holds now, or why nobody knows.

    `name`: the target's, or that of one of those that it stands for.
    """

    case: Case
    target: TargetSettings
    name: str
    answer: Held | Exception


def missing(registry: str, rotation: str, holding: Sequence[Published]) -> Findings:
    """Say that a configured registry is not in the document, and why that may be."""
    findings = Findings(docker_entry.shown(registry))
    found = f"configured (rotation {rotation}) and missing: the job asks it without a login"
    now = [
        place.name
        for place in holding
        if isinstance(place.answer, Held) and _login(place.answer, registry) is not None
    ]
    if now:
        names = ", ".join(now)
        findings.failure(
            f"{found}; {names} publishes it now",
            f"this is not the document of {names}: see which file or variable the job reads "
            "(DOCKER_CONFIG, the mount, DOCKER_AUTH_CONFIG), and start the job again",
        )
    else:
        findings.failure(
            f"{found}; no target publishes it now either", f"rotator run-once {rotation}"
        )
    return findings


def without_login(key: str, entry: Entry | None, wanted: Mapping[str, str]) -> Findings:
    """Return what there is to say of an entry that holds no user name and password."""
    findings = Findings(docker_entry.shown(key))
    rotation = wanted.get(docker_entry.registry_key(key))
    if entry is None or entry.is_broken:
        findings.failure(
            "no client can decode this entry as a user name and a password",
            "log in there again, or take the entry out: it breaks its neighbours too",
        )
    elif entry.token:
        names = " and ".join(name for name in entry.fields if name.lower().endswith("token"))
        findings.ok(f"a foreign entry with {names}: Docker takes it, and it can't be proven here")
    elif rotation:
        findings.failure(
            f"configured (rotation {rotation}), and its entry is empty: no login is in it",
            f"rotator run-once {rotation}",
        )
    else:
        findings.warning(
            "an empty entry: Docker asks this registry without a login",
            f"take it out, or log in: docker login {docker_entry.shown(key)}",
        )
    return findings


def entry_of(
    key: str,
    login: Credential,
    verdicts: Mapping[str, Proof],
    holding: Sequence[Published],
    cases: Sequence[Case],
    wanted: Mapping[str, str],
) -> Findings:
    """Return what there is to say of one entry."""
    registry = docker_entry.registry_key(key)
    findings = Findings(docker_entry.shown(key))
    now = cases[0].clock()
    ours = next(((case, known) for case in cases if (known := case.known(login))), None)
    rotation = wanted.get(registry)
    whose = "a foreign entry: rotator's journal does not know it"
    todo = "its writer has to log in again"
    if ours is not None:
        case, known = ours
        newest = known == case.record.credentials[registry][0]
        todo = f"rotator run-once {case.rotation.name}" if newest else OUTLIVED
        whose = "the newest" if newest else "replaced since"
        whose = f"ours (rotation {case.rotation.name}, {whose}), {_age(known, now)}"
    elif rotation is not None:
        todo = f"rotator run-once {rotation}, and find who wrote this one: a docker login?"
        whose = f"configured (rotation {rotation}), and {whose}"
    proof = verdicts.get(registry, Proof(Verdict.UNKNOWN, "no answer in time"))
    if proof.verdict is Verdict.ACCEPTED:
        findings.ok(f"{whose}; its registry accepts it now")
    elif proof.verdict is Verdict.REJECTED:
        findings.failure(f"{whose}; its registry rejects it now: {proof.detail}", todo)
    else:
        why = proof.detail or "proofs are off (`prove: off`)"
        findings.warning(
            f"{whose}; its registry can't be asked: {why}",
            f"docker login {docker_entry.shown(registry)}",
        )
    for place in holding:
        _compare(login, place, findings)
    return findings


def _age(known: KnownCredential, now: datetime) -> str:
    began = "first found" if known.foreign else "fetched"
    return f"{began} {relative(known.issued_at, now)}, {end_text(known.expires_at, now)}"


def _compare(login: Credential, place: Published, findings: Findings) -> None:
    """Say what a target publishes for the entry's registry now."""
    if not isinstance(place.answer, Held) or place.answer.withheld:
        return
    if login.registry not in place.case.wanted(place.target):
        return
    where, now = place.name, _login(place.answer, login.registry)
    if now is None:
        findings.warning(
            f"{where} holds nothing for it now", f"rotator run-once {place.case.rotation.name}"
        )
    elif now == (login.username, login.password):
        findings.ok(f"{where} publishes the same")
    else:
        theirs = Credential(login.registry, *now, login.issued_at)
        known = place.case.known(theirs)
        age = f"ours, {_age(known, login.issued_at)}" if known else "not ours"
        findings.ok(f"{where} publishes another one now ({age})")


def _login(held: Held, registry: str) -> tuple[str, Secret] | None:
    text = held.text.reveal() if held.text else "{}"
    try:
        return docker_config.decode(text).logins().get(registry)
    except DriverError:
        return None
