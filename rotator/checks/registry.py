"""What a source gives and what a target holds: what registries and clients say of it."""

from __future__ import annotations

import tomllib
from concurrent.futures import Future, wait
from math import inf
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from rotator.checks.damaged import damaged
from rotator.clients.judge import judge
from rotator.config import readers
from rotator.config.targets import FileTargetSettings, GitlabVariableTargetSettings
from rotator.core import docker_config
from rotator.core.docker_entry import shown
from rotator.core.errors import DriverError
from rotator.core.failure import Failure
from rotator.core.model import Content, Credential, Proof, ProofMode, Secret, Verdict
from rotator.gitlab.overruling import KEY, WINS, configured
from rotator.inspection import LONGEST, SECONDS
from rotator.observe.times import end_text
from rotator.system.each import ThreadedEach, others_first

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from rotator.clients.lookups import Consumer
    from rotator.config.target_common import TargetSettings
    from rotator.core.docker_config import DockerConfig
    from rotator.core.model import Held
    from rotator.core.ports import Prove
    from rotator.inspection import Case, Findings

RUNNER_CONFIG = Path("/etc/gitlab-runner/config.toml")

_ASK = "let this machine reach it, or see `registry_access` (ca_file, insecure)"


def prove_once(prove: Prove) -> Prove:
    """Return a proof that shows each credential once, however many targets publish it.

    A second caller waits for the first one's answer.
    """
    lock = Lock()
    answers: dict[tuple[str, str, Secret], Future[Proof]] = {}

    def proof(credential: Credential) -> Proof:
        key = (credential.registry, credential.username, credential.password)
        with lock:
            mine = key not in answers
            answer = answers.setdefault(key, Future())
        if mine:
            try:
                answer.set_result(prove(credential))
            except Exception as error:  # noqa: BLE001  those who wait get it
                answer.set_exception(error)
        others_first(lambda seconds: bool(wait([answer], seconds).done), inf)
        return answer.result()

    return proof


def given(credentials: Sequence[Credential], case: Case, findings: Findings) -> None:
    """Say what the registries say of what a source has just given."""
    findings.credentials = tuple(credentials)
    now = case.clock()
    for credential, proof in zip(credentials, proofs(credentials, case), strict=True):
        registry, end = shown(credential.registry), end_text(credential.expires_at, now)
        if credential.expires_at is not None and credential.expires_at <= now:
            findings.failure(
                f"what it gives for {registry} {end}",
                "renew what it holds; if that looks right, this machine's clock is wrong: "
                "timedatectl",
            )
        elif proof.verdict is Verdict.ACCEPTED:
            findings.ok(f"{registry} accepts what it gives, which {end}")
        elif proof.verdict is Verdict.REJECTED:
            findings.failure(
                f"{registry} rejects what it gives: {proof.detail}{_blanks(credential)}",
                "put the right login where this source reads it: what its registry rejects is "
                f"never published; try it: docker login {registry}",
            )
        elif proof.verdict is Verdict.SKIPPED:
            findings.ok(
                f"it gives a credential for {registry}, unproven (`prove: off`), which {end}"
            )
        elif case.rotation.prove is ProofMode.STRICT:
            findings.failure(
                f"{registry} cannot be asked ({proof.detail}), and `prove: strict` then publishes "
                "nothing",
                _ASK,
            )
        else:
            findings.warning(f"{registry} cannot be asked whether it is good: {proof.detail}", _ASK)


def _blanks(credential: Credential) -> str:
    """Return a sentence where a form or `echo` has left something at the end of a login."""
    ends = {
        "user name": credential.username != credential.username.strip(),
        "password": credential.password.reveal() != credential.password.reveal().strip(),
    }
    found = [what for what, has in ends.items() if has]
    if not found:
        return ""
    return (
        f". Its {' and its '.join(found)} has a blank or a line end at an end, which a form or "
        "`echo` adds (`printf %s` does not)"
    )


def published(target: TargetSettings, held: Held, case: Case, findings: Findings) -> None:
    """Say what a target holds for this rotation's registries, and what they say of it."""
    findings.held = held
    _say_what_overrules(target, case, findings)
    # `config/advice` says what the configuration alone tells.
    known = readers.configured(target, case.rotation.published(target))
    for problem in readers.configured(target, case.wanted(target)):
        if problem not in known:
            findings.warning(f"as configured: {problem.what}", problem.todo)
    run = f"rotator run-once {case.rotation.name}"
    if held.withheld:
        findings.ok("it hides its value, so what is published can't be shown to a registry")
    elif held.text is None:
        if case.record.target(target.target_name).written:
            findings.warning("it is empty, though rotator has published in it", run)
        else:
            findings.ok("nothing is published in it yet", run)
    elif target.content is not Content.DOCKER_CONFIG:
        findings.ok(f"it holds a {target.content}, which no registry can judge alone")
    else:
        try:
            config = docker_config.decode(held.text.reveal())
        except DriverError as error:
            damaged(target, held, case, findings, error)
            return
        problems(held.text.reveal(), readers.readers(target), case.wanted(target), findings)
        _entries(target, held, config, case, findings)


def proofs(credentials: Sequence[Credential], case: Case) -> list[Proof]:
    """Return what each credential's registry says of it, all asked at once."""
    if case.rotation.prove is ProofMode.OFF:
        return [Proof(Verdict.SKIPPED)] * len(credentials)
    # Before the check that asks has used up its own time, so that a registry that hangs does not
    # cost the answers of the others.
    answers = ThreadedEach(longest=LONGEST)(case.prove, credentials, SECONDS * 0.8)
    return [
        answer if isinstance(answer, Proof) else Proof(Verdict.UNKNOWN, Failure.of(answer).detail)
        for answer in answers
    ]


def _entries(
    target: TargetSettings, held: Held, config: DockerConfig, case: Case, findings: Findings
) -> None:
    logins, wanted, now = config.logins(), case.wanted(target), case.clock()
    missing = [registry for registry in wanted if registry not in logins]
    run = f"rotator run-once {case.rotation.name}"
    if missing:
        lost = [registry for registry in missing if case.record.credentials.get(registry)]
        tell = findings.warning if lost else findings.ok
        tell(f"it holds nothing for {', '.join(missing)}{'' if lost else ' yet'}", run)
    there = [Credential(r, *logins[r], now) for r in wanted if r in logins]
    for credential, proof in zip(there, proofs(there, case), strict=True):
        registry = credential.registry
        known = case.known(credential)
        marked = held.mark.expires if held.mark else {}
        whose = "ours" if known else "another rotator's" if registry in marked else "not ours"
        end = known.expires_at if known else marked.get(registry)
        what = f"what is published for {registry} ({whose}, {end_text(end, now)})"
        if proof.verdict is Verdict.ACCEPTED:
            findings.ok(f"{what} is accepted")
        elif proof.verdict is Verdict.REJECTED:
            findings.failure(f"{what} is rejected: {proof.detail}", run)
        elif proof.verdict is Verdict.SKIPPED:
            findings.ok(f"{what} is not proven (`prove: off`)")
        else:
            findings.warning(f"{what} cannot be proven: {proof.detail}", _ASK)


def problems(
    text: str,
    consumers: Collection[Consumer],
    ours: Collection[str],
    findings: Findings,
    surely: Collection[Consumer] | None = None,
) -> None:
    """Write down what concerns these programs; a failure where one does not take a login of ours.

    `ours`: the registries whose logins count. `surely`: the programs that certainly read the
    document; default: all of them.
    """
    judgement = judge(text, consumers)
    failing = {
        consumer
        for registry in judgement.verdicts.keys() & set(ours)
        for consumer, verdict in judgement.verdicts[registry].items()
        if not verdict.taken and consumer in (consumers if surely is None else surely)
    }
    for problem in judgement.problems:
        concerned = [consumer for consumer in problem.consumers if consumer in failing]
        if concerned:
            findings.failure(f"{problem.what} (not taken: {', '.join(concerned)})", problem.todo)
        else:
            findings.warning(problem.what, problem.todo)


def _say_what_overrules(settings: TargetSettings, case: Case, findings: Findings) -> None:
    """Say of a file, Secret or ConfigMap what beats it, as far as this is known here."""
    if not isinstance(settings, FileTargetSettings) and "kubernetes" not in settings.type:
        return
    if isinstance(settings, FileTargetSettings):
        runner_config(findings)
    if not any(isinstance(each, GitlabVariableTargetSettings) for each in configured(case)):
        findings.ok(
            f"whether jobs also have a variable {KEY}, which Docker 28.3 or newer and GitLab "
            "Runner take first, is not known: no target of the configuration has a GitLab token",
            f"see {KEY} under Settings > CI/CD > Variables of the project and of each group above",
        )


def runner_config(findings: Findings, path: Path = RUNNER_CONFIG) -> None:
    """Say whether the runner on this machine sets the variable itself."""
    try:
        runners = tomllib.loads(path.read_text(errors="replace")).get("runners", [])
        named = [
            str(runner.get("name", number))
            for number, runner in enumerate(runners)
            if any(str(each).startswith(f"{KEY}=") for each in runner.get("environment", []))
        ]
    except (OSError, ValueError, AttributeError, TypeError):
        return  # there is none here, or we may not read it
    if named:
        findings.warning(
            f"{path}: `environment` of the runner {', '.join(map(shown, named))} sets {KEY}: "
            f"{WINS}",
            f"take {KEY}=… out of `environment` there",
        )
