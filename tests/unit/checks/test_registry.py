"""What `check` says of credentials that a source gives and that a target holds."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from rotator.checks.registry import given, prove_once, published, shown
from rotator.core.model import Credential, Held, Mark, Proof, Secret, Verdict
from rotator.core.record import KnownCredential, Record, TargetRecord
from rotator.inspection import Findings
from tests.support import NOW
from tests.unit.checks.described import HARBOR, accept, case, file_target, login_file, rotation, the

if TYPE_CHECKING:
    from pathlib import Path

    from rotator.core.ports import Prove

LOGIN = Credential(HARBOR, "u", Secret("s3cr3t-p"), NOW, NOW + timedelta(hours=5))
DOCUMENT = Secret(f'{{"auths":{{"{HARBOR}":{{"auth":"dTpzM2NyM3QtcA=="}}}}}}')
RUN = "rotator run-once dind"


def saying(verdict: Verdict) -> Prove:
    """Return a proof that always says this."""
    return lambda _: Proof(verdict, "it says so")


@pytest.mark.parametrize(
    ("verdict", "mode", "level", "words"),
    [
        (Verdict.ACCEPTED, "lenient", "ok", "accepts what it gives, which ends in 5 h"),
        (Verdict.REJECTED, "lenient", "failure", "rejects what it gives: it says so"),
        (Verdict.UNKNOWN, "lenient", "warning", "cannot be asked whether it is good"),
        (Verdict.UNKNOWN, "strict", "failure", "then publishes nothing"),
        (Verdict.REJECTED, "off", "ok", "unproven"),
    ],
)
def test_given(tmp_path: Path, verdict: Verdict, mode: str, level: str, words: str) -> None:
    """The registry's word decides, as far as the rotation asks for it."""
    settings = rotation([login_file(tmp_path)], [file_target(tmp_path)], prove=mode)
    findings = Findings("login")
    given([LOGIN], case(settings, prove=saying(verdict)), findings)
    the(findings.all, level, words)
    assert findings.credentials == (LOGIN,)


def test_given_too_late(tmp_path: Path) -> None:
    """What has ended already is a failure, whatever its registry says."""
    ended = Credential(HARBOR, "u", Secret("s3cr3t-p"), NOW, NOW - timedelta(hours=1))
    findings = Findings("login")
    given([ended], case(rotation([login_file(tmp_path)], [file_target(tmp_path)])), findings)
    the(findings.all, "failure", "ended 1 h ago")


def look(
    place: Path, held: Held, record: Record | None = None, prove: Prove = accept, **target: Any
) -> Findings:
    """Return what is said of a target that holds this."""
    settings = rotation([login_file(place)], [file_target(place, **target)])
    one = case(settings, record, prove=prove, fingerprint=lambda _: "hmac:ours")
    findings = Findings("the file")
    published(one.rotation.targets[0], held, one, findings)
    return findings


KNOWN = KnownCredential("hmac:ours", "login", NOW, NOW + timedelta(hours=2), None)
OURS = Record(
    credentials={HARBOR: (KNOWN,)},
    targets={"the file": TargetRecord(fingerprints=("hmac:0",), written="hmac:0")},
)
TRIED = Record(targets={"the file": TargetRecord(fingerprints=("hmac:0",))})
"""What stands there before a write, and after one that failed."""
MARKED = Mark({HARBOR: NOW + timedelta(hours=3)}, "hmac:1", "other")


@pytest.mark.parametrize(
    ("held", "record", "verdict", "level", "words", "todo"),
    [
        (Held(None), Record(), "accepted", "ok", "nothing is published in it yet", RUN),
        (Held(None), TRIED, "accepted", "ok", "nothing is published in it yet", RUN),
        (Held(None), OURS, "accepted", "warning", "it is empty, though", RUN),
        (Held(Secret("{}")), Record(), "accepted", "ok", "it holds nothing for harbor", RUN),
        (Held(Secret("{}")), OURS, "accepted", "warning", "it holds nothing for harbor", RUN),
        (Held(DOCUMENT), OURS, "accepted", "ok", "(ours, ends in 2 h) is accepted", ""),
        (Held(DOCUMENT, MARKED), Record(), "accepted", "ok", "(another rotator's, ends in 3 h", ""),
        (Held(DOCUMENT), Record(), "rejected", "failure", "(not ours, has no known end)", RUN),
        (Held(DOCUMENT), Record(), "unknown", "warning", "cannot be proven: it says so", "reg"),
        (Held(DOCUMENT), OURS, "skipped", "ok", "(ours, ends in 2 h) is not proven", ""),
        (Held(None, withheld=True), Record(), "accepted", "ok", "it hides its value", ""),
    ],
)  # fmt: skip
def test_published(
    tmp_path: Path, held: Held, record: Record, verdict: str, level: str, words: str, todo: str
) -> None:
    """Whose it is, how long it lasts, what its registry says; and what to type."""
    findings = look(tmp_path, held, record, saying(Verdict(verdict)))
    assert todo in the(findings.all, level, words).todo


def test_login_part(tmp_path: Path) -> None:
    """A password alone can't be shown to anybody."""
    findings = look(tmp_path, Held(Secret("s3cr3t-p")), content="password", registry=HARBOR)
    the(findings.all, "ok", "no registry can judge alone")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"auths":{"h.example.com":{},"h.example.com/x":{}}}', "Docker ignores"),
        ('{"credsStore":"pass"}', "`credsStore` makes Docker ask docker-credential-pass"),
        ('{"auths":{"x":{"auth":"bm9jb2xvbg=="}}}', "the entry x can't be decoded"),
    ],
)
def test_odd_documents(tmp_path: Path, text: str, words: str) -> None:
    """What is wrong whoever wrote it is a warning."""
    the(look(tmp_path, Held(Secret(text))).all, "warning", words)


def test_each_credential_is_shown_once() -> None:
    """Ten targets with one credential cost one request; who comes meanwhile waits for it."""
    asked: list[Credential] = []
    first, go_on = threading.Event(), threading.Event()

    def prove(credential: Credential) -> Proof:
        asked.append(credential)
        first.set()
        go_on.wait(10)
        return Proof(Verdict.ACCEPTED)

    once, answers = prove_once(prove), []
    threads = [threading.Thread(target=lambda: answers.append(once(LOGIN))) for _ in range(10)]
    for thread in threads:
        thread.start()
    assert first.wait(10)
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert (len(asked), answers) == (1, [Proof(Verdict.ACCEPTED)] * 10)


def test_a_proof_that_fails() -> None:
    """Whoever waits for a proof gets its exception."""

    def prove(_: Credential) -> Proof:
        raise RuntimeError("bug")

    once = prove_once(prove)
    for _ in range(2):
        with pytest.raises(RuntimeError):
            once(LOGIN)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("https://user:s3cr3t-p@h.example.com", "h.example.com"),
        ("h\x1b[31m.example.com\n", "h?[31m.example.com?"),
        ("", "an empty name"),
        ("x" * 300, "x" * 200),
    ],
)
def test_names_that_strangers_chose(key: str, said: str) -> None:
    """A key of somebody's document is printed without logins and without control characters."""
    assert shown(key) == said
