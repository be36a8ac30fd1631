"""Which document did this job use?"""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from rotator.checks.document import LARGEST, judge
from rotator.core.model import Credential, Proof, Verdict
from rotator.core.record import Known, Record, TargetRecord
from tests.support import MARKED, NOW
from tests.unit.checks.room import HARBOR, case, file_target, levels, login_file, rotation, the

if TYPE_CHECKING:
    from pathlib import Path

    from rotator.checks.case import Case
    from rotator.checks.finding import Finding

OLD, NEW = f"{MARKED}old", f"{MARKED}new"
TARGET = "the file"


def document(**passwords: str) -> str:
    """Return a docker config with a login at each of these hosts of example.com."""
    auths = {
        f"{name}.example.com": {"auth": base64.b64encode(f"robot:{password}".encode()).decode()}
        for name, password in passwords.items()
    }
    return json.dumps({"auths": auths}, sort_keys=True, separators=(",", ":"))


def name_of(text: str) -> str:
    """Return a fingerprint: any that is the same for the same text."""
    return f"hmac:{abs(hash(text)):012x}"[:17]


def prove(credential: Credential) -> Proof:
    """Accept the new password alone."""
    if credential.registry == "down.example.com":
        return Proof(Verdict.UNKNOWN, "connection refused")
    good = credential.password.reveal() == NEW
    return Proof(Verdict.ACCEPTED) if good else Proof(Verdict.REJECTED, "it answers 401")


@pytest.fixture
def known(tmp_path: Path) -> Case:
    """Give a rotation that published OLD five hours ago, and NEW an hour ago."""
    hours = timedelta(hours=1)
    record = Record(
        credentials={
            HARBOR: (
                Known(name_of(f"robot:{NEW}"), "login", NOW - hours, NOW + 4 * hours, None),
                Known(name_of(f"robot:{OLD}"), "login", NOW - 5 * hours, NOW - hours, None),
            )
        },
        targets={
            TARGET: TargetRecord(
                (name_of(document(harbor=NEW)), name_of(document(harbor=OLD))), NOW - hours
            )
        },
    )
    target = file_target(tmp_path)
    (tmp_path / "docker" / "config.json").write_text(document(harbor=NEW) + "\n")
    settings = rotation([login_file(tmp_path)], [target])
    return case(settings, record, prove=prove, fingerprint=name_of)


def told(text: str | bytes, known: Case) -> list[Finding]:
    """Return the judgement; no secret is in it."""
    data = text if isinstance(text, bytes) else text.encode()
    findings = judge(data, "job.json", [known])
    assert MARKED not in str(findings)
    return findings


def test_the_newest(known: Case) -> None:
    """A document as published: ours, the newest, accepted, and the same everywhere."""
    found = told(document(harbor=NEW) + "\n", known)
    the(found, "ok", "it is what rotator wrote last to the file, 1 h ago")
    the(found, "ok", "the newest), fetched 1 h ago, ends in 4 h; its registry accepts it now")
    the(found, "ok", "the file publishes the same")


def test_an_older_one(known: Case) -> None:
    """A job that outlived its document: which one it was, and what to do about the mount."""
    found = told(document(harbor=OLD), known)
    assert "mount the directory" in the(found, "warning", "and a newer one 1 h ago").todo
    entry = the(found, "failure", "replaced since), fetched 5 h ago, ended 1 h ago")
    assert "rejects it now: it answers 401" in entry.found
    assert "mount the directory" in entry.todo
    the(found, "ok", "publishes another one now (ours, fetched 1 h ago")


def test_a_foreign_one(known: Case) -> None:
    """Somebody else's document, and what is published for its registry."""
    found = told(document(harbor=f"{MARKED}theirs", down=NEW), known)
    the(found, "ok", "no document that rotator wrote as a whole")
    assert the(found, "failure", "a foreign entry").todo == "whoever wrote it has to log in again"
    the(found, "warning", "its registry can't be asked: connection refused")


def test_entry_that_nobody_decodes(known: Case) -> None:
    """A broken entry is named twice: as itself, and for what it does to others."""
    text = json.dumps({"auths": {"bad.example.com": {"auth": f"{MARKED}not base64"}}})
    found = told(text, known)
    the(found, "failure", "no client can decode this entry")
    the(found, "warning", "loses other entries")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it is empty"),
        (b"\n \n", "it is empty"),
        (b"\xff\xfe{\x00}\x00", "not UTF-8"),
        (b'\xef\xbb\xbf{"auths":{}}', "byte order mark"),
        (b"/builds/team/app.tmp/DOCKER_AUTH_CONFIG\n", "it is a path"),
        (b'{"auths":{"r":{"auth":"s3cr3t-', "it is not JSON (line 1)"),
        (b"[]", "not a JSON object"),
        (b'{"auths":[]}', "`auths` is not a JSON object"),
        (b'{"auths":{}}', "it has no entry"),
        (b"x" * (LARGEST + 1), "larger than 1 MiB"),
    ],
)
def test_no_document(known: Case, data: bytes, words: str) -> None:
    """What is no docker config is said to be what it is."""
    the(told(data, known), "failure", words)


def test_target_that_lost_it(known: Case, tmp_path: Path) -> None:
    """A target that holds nothing for the entry's registry: publish again."""
    (tmp_path / "docker" / "config.json").unlink()
    found = the(told(document(harbor=NEW), known), "warning", "the file holds nothing for it now")
    assert found.todo == "rotator run-once dind"


def test_target_that_cannot_be_read(known: Case, tmp_path: Path) -> None:
    """What can't be compared is said with the driver's own hint."""
    (tmp_path / "docker").chmod(0o777)
    found = the(told(document(harbor=NEW), known), "warning", "what it publishes now can't be told")
    assert "chmod" in found.todo


def test_malformed_target(known: Case, tmp_path: Path) -> None:
    """A target that holds no docker config has nothing for the registry."""
    (tmp_path / "docker" / "config.json").write_text("garbage")
    the(told(document(harbor=NEW), known), "warning", "the file holds nothing for it now")


def test_without_a_journal(tmp_path: Path) -> None:
    """Where nothing was published from here, everything is foreign and yet judged."""
    one = case(rotation([login_file(tmp_path)], [file_target(tmp_path)]), prove=prove)
    found = judge(document(harbor=NEW).encode(), "job.json", [one])
    assert any("foreign entry" in told for told in levels(found))
