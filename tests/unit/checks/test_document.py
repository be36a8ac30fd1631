"""Which document did this job use?"""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import yaml

from rotator.checks.document import judge
from rotator.checks.wrapping import LARGEST
from rotator.core.model import Credential, Proof, Verdict
from rotator.core.record import KnownCredential, Record, TargetRecord
from tests.fakes.kubernetes import FakeKubernetes
from tests.support import MARKED, NOW
from tests.unit.checks.described import HARBOR, case, file_target, levels, login_file, rotation, the

if TYPE_CHECKING:
    from pathlib import Path

    from rotator.inspection import Case, Finding

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
                KnownCredential(
                    name_of(f"robot:{NEW}"), "login", NOW - hours, NOW + 4 * hours, None
                ),
                KnownCredential(
                    name_of(f"robot:{OLD}"), "login", NOW - 5 * hours, NOW - hours, None
                ),
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


def reported(text: str | bytes, known: Case) -> list[Finding]:
    """Return the judgement; no secret is in it."""
    data = text if isinstance(text, bytes) else text.encode()
    findings = judge(data, "job.json", [known])
    assert MARKED not in str(findings)
    return findings


def test_the_newest(known: Case) -> None:
    """A document as published: ours, the newest, accepted, and the same everywhere."""
    found = reported(document(harbor=NEW) + "\n", known)
    the(found, "ok", "it is what rotator wrote last to the file, 1 h ago")
    the(found, "ok", "the newest), fetched 1 h ago, ends in 4 h; its registry accepts it now")
    the(found, "ok", "the file publishes the same")


def test_an_older_one(known: Case) -> None:
    """A job that outlived its document: which one it was, and what to do about the mount."""
    found = reported(document(harbor=OLD), known)
    assert "mount the directory" in the(found, "warning", "and a newer one 1 h ago").todo
    entry = the(found, "failure", "replaced since), fetched 5 h ago, ended 1 h ago")
    assert "rejects it now: it answers 401" in entry.found
    assert "mount the directory" in entry.todo
    the(found, "ok", "publishes another one now (ours, fetched 1 h ago")


def test_a_foreign_one(known: Case) -> None:
    """Somebody else's document, and what is published for its registry."""
    found = reported(document(harbor=f"{MARKED}theirs", down=NEW), known)
    the(found, "ok", "no document that rotator wrote as a whole")
    assert "find who wrote this one" in the(found, "failure", "and a foreign entry").todo
    other = the(reported(document(harbor=NEW, other=OLD), known), "failure", "a foreign entry")
    assert other.todo == "its writer has to log in again"
    the(found, "warning", "its registry can't be asked: connection refused")


def test_entry_that_nobody_decodes(known: Case) -> None:
    """A broken entry is named twice: as itself, and for what it does to others."""
    text = json.dumps({"auths": {"bad.example.com": {"auth": f"{MARKED}not base64"}}})
    found = reported(text, known)
    the(found, "failure", "no client can decode this entry")
    the(found, "warning", "loses other entries")
    found = reported(
        json.dumps({"auths": {**json.loads(GOOD)["auths"], "bad.example.com": {"auth": "x"}}}),
        known,
    )
    the(found, "failure", "loses other entries")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it is empty"),
        (b"\n \n", "it is empty"),
        (b"\xff\xfe{\x00}\x00", "it is UTF-16 text"),
        (b"\xff", "not UTF-8"),
        (b"[MASKED]\n", "it says [MASKED]"),
        (b"DOCKER_AUTH_CONFIG=[MASKED]\n", "it says [MASKED]"),
        (b"$DOCKER_AUTH_CONFIG\n", "a variable's name"),
        (b"kind: Secret\nmetadata: {name: x}\n", "a Secret without data"),
        (b'\xef\xbb\xbf{"auths":{}}', "byte order mark"),
        (b"/builds/team/app.tmp/DOCKER_AUTH_CONFIG\n", "it is a path"),
        (b'{"auths":{"r":{"auth":"s3cr3t-', "it ends in the middle"),
        (b"[]", "not a JSON object"),
        (b'{"auths":[]}', "`auths` is not a JSON object"),
        (b'{"auths":{}}', "it has no entry"),
        (b"x" * (LARGEST + 1), "larger than 1 MiB"),
    ],
)
def test_no_document(known: Case, data: bytes, words: str) -> None:
    """What is no docker config is said to be what it is."""
    the(reported(data, known), "failure", words)


def test_target_that_lost_it(known: Case, tmp_path: Path) -> None:
    """A target that holds nothing for the entry's registry: publish again."""
    (tmp_path / "docker" / "config.json").unlink()
    found = the(
        reported(document(harbor=NEW), known), "warning", "the file holds nothing for it now"
    )
    assert found.todo == "rotator run-once dind"


def test_target_that_cannot_be_read(known: Case, tmp_path: Path) -> None:
    """What can't be compared is said with the driver's own hint."""
    (tmp_path / "docker").chmod(0o777)
    found = the(
        reported(document(harbor=NEW), known), "warning", "it is not known what it publishes now"
    )
    assert "chmod" in found.todo


def test_target_in_many_namespaces(tmp_path: Path) -> None:
    """Each member is read by itself, and a list of namespaces that can't be had is said."""
    with FakeKubernetes() as fake:
        for namespace in ("team-a", "team-b"):
            fake.objects.namespaces[namespace] = "Active"
        body = {"metadata": {"name": "docker"}, "data": {"config.json": document(harbor=NEW)}}
        fake.objects.create("configmaps", "team-a", body, "kubectl")
        target = {
            "type": "kubernetes_configmap",
            "namespaces": ["team-*"],
            "name": "docker",
            "kubeconfig": str(fake.kubeconfig(tmp_path / "kubeconfig")),
        }
        one = case(rotation([login_file(tmp_path)], [target]), prove=prove)
        found = reported(document(harbor=NEW), one)
        fake.allow("s3cr3t-weak", "weak", [], None)
        fake.kubeconfig(tmp_path / "kubeconfig", token="s3cr3t-weak")
        unlisted = reported(document(harbor=NEW), one)
    where = f"/docker@{tmp_path}/kubeconfig"
    the(found, "ok", f"kubernetes_configmap:team-a{where} publishes the same")
    the(found, "warning", f"kubernetes_configmap:team-b{where} holds nothing for it now")
    gone = the(unlisted, "warning", "weak lacks the verb list on namespaces")
    assert gone.about == f"kubernetes_configmap:team-*{where}"


def test_malformed_target(known: Case, tmp_path: Path) -> None:
    """A target that holds no docker config has nothing for the registry."""
    (tmp_path / "docker" / "config.json").write_text("garbage")
    the(reported(document(harbor=NEW), known), "warning", "the file holds nothing for it now")


def test_without_a_journal(tmp_path: Path) -> None:
    """Where nothing was published from here, everything is foreign and yet judged."""
    one = case(rotation([login_file(tmp_path)], [file_target(tmp_path)]), prove=prove)
    found = judge(document(harbor=NEW).encode(), "job.json", [one])
    assert any("foreign entry" in reported for reported in levels(found))


def secret(text: str, **more: object) -> dict[str, object]:
    """Return a Secret as `kubectl get -o json` prints it."""
    data = {"config.json": base64.b64encode(text.encode()).decode()}
    about = {"namespace": "ci", "name": "docker"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": about, "data": data, **more}


GOOD = document(harbor=NEW)
CONFIG_MAP = {**secret(GOOD), "kind": "ConfigMap", "data": {"config.json": GOOD}}
WRAPPINGS = {
    "name": (f"DOCKER_AUTH_CONFIG={GOOD}", "`DOCKER_AUTH_CONFIG=` is in front"),
    "export": (f"export X='{GOOD}'", "single quotes"),
    "quoted": (json.dumps(GOOD), "double quotes"),
    "base64": (base64.encodebytes(GOOD.encode()).decode(), "it is base64"),
    "unpadded": (base64.b64encode(GOOD.encode()).decode().rstrip("="), "it is base64"),
    "secret": (json.dumps(secret(GOOD)), "it is the Secret ci/docker, key config.json"),
    "yaml": (yaml.safe_dump(secret(GOOD)), "it is the Secret ci/docker, key config.json"),
    "string data": (
        yaml.safe_dump({"kind": "Secret", "stringData": {".dockerconfigjson": GOOD}}),
        "key .dockerconfigjson",
    ),
    "config map": (yaml.safe_dump(CONFIG_MAP), "it is the ConfigMap ci/docker"),
    "list": (json.dumps({"kind": "List", "items": [{"kind": "Pod"}, secret(GOOD)]}), "ci/docker"),
    "log": (f"$ cat ~/.docker/config.json\n{GOOD}\nJob succeeded\n", "text stands around it"),
    "colours": (f"\x1b[32;1m$ cat x\x1b[0;m\n{GOOD}\x1b[0;m\n", "text stands around it"),
    "timestamps": (f"2026-11-27T21:00:00.123456Z 01O {GOOD}\n", "text stands around it"),
    "base64 in a log": (
        f"$ base64 -w0 x\n2026-11-27T21:00:00Z 01O {base64.b64encode(GOOD.encode()).decode()}\n$",
        "it is base64",
    ),
    "secret in base64": (base64.b64encode(json.dumps(secret(GOOD)).encode()).decode(), "ci/docker"),
}


@pytest.mark.parametrize("wrapped", WRAPPINGS)
def test_what_is_around_it(known: Case, wrapped: str) -> None:
    """It is said, and what is inside is judged as if it stood alone."""
    text, words = WRAPPINGS[wrapped]
    found = reported(text, known)
    assert [f for f in found if f.level == "ok" and words in f.found], levels(found)
    the(found, "ok", "its registry accepts it now")
    assert not [f for f in found if f.level == "failure"], levels(found)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xef\xbb\xbf" + GOOD.encode(), "byte order mark"),
        (GOOD.encode("utf-16"), "UTF-16"),
        (json.dumps(json.loads(GOOD)["auths"]).encode(), "no `auths` around them"),
    ],
    ids=["mark", "UTF-16", "no auths"],
)
def test_what_no_client_reads_is_judged_all_the_same(known: Case, data: bytes, words: str) -> None:
    """One thing is wrong with it; whether the login in it is good is another question."""
    found = reported(data, known)
    the(found, "failure", words)
    the(found, "ok", "its registry accepts it now")


def test_difference(known: Case) -> None:
    """What is configured and missing comes first, with what this very document calls for."""
    found = reported("{}", known)
    the(found, "failure", "1 configured: 0 there, 1 missing; 0 more in it")
    missing = the(found, "failure", "configured (rotation dind) and missing")
    assert "the file publishes it now" in missing.found
    assert "which file or variable the job reads" in missing.todo
    assert missing.about == HARBOR
    found = reported(document(harbor=NEW, other=NEW), known)
    the(found, "ok", "1 configured: 1 there, 0 missing; 1 more in it")


def test_missing_everywhere(known: Case, tmp_path: Path) -> None:
    """Where no target has it either, a cycle is what helps."""
    (tmp_path / "docker" / "config.json").unlink()
    missing = the(reported(document(other=NEW), known), "failure", "no target publishes it now")
    assert missing.todo == "rotator run-once dind"


@pytest.mark.parametrize(
    ("entry", "level", "words"),
    [
        ({"auth": "", "registrytoken": f"{MARKED}t"}, "ok", "with registrytoken"),
        ({}, "warning", "an empty entry"),
        (None, "warning", "an empty entry"),
    ],
    ids=["registry token", "empty", "null"],
)
def test_entries_without_a_login(known: Case, entry: object, level: str, words: str) -> None:
    """Docker takes them: they are not broken, and break nothing beside them."""
    text = json.loads(GOOD)
    text["auths"]["else.example.com"] = entry
    found = reported(json.dumps(text), known)
    the(found, level, words)
    the(found, "warning", "ignores the whole variable")
    assert not [f for f in found if f.level == "failure"], levels(found)
    text["auths"] = {HARBOR: {}}
    the(reported(json.dumps(text), known), "failure", "its entry is empty")


def test_an_identity_token_is_judged_by_its_registry(known: Case) -> None:
    """It is a login as any other, and is shown as an identity token."""
    text = json.loads(GOOD)
    text["auths"]["else.example.com"] = {"identitytoken": f"{MARKED}t"}
    found = reported(json.dumps(text), known)
    assert [f.about for f in found if f.level == "failure"] == ["else.example.com"]
    assert not [f for f in found if "broken" in f.found]


def test_another_spelling(known: Case) -> None:
    """A key with a scheme is found by some clients only."""
    text = json.loads(GOOD)
    text["auths"] = {f"https://{HARBOR}/v1/": text["auths"][HARBOR]}
    found = the(reported(json.dumps(text), known), "warning", "not how every program names")
    assert HARBOR in found.todo


@pytest.mark.parametrize(
    ("top", "level", "words"),
    [
        ({"credsStore": "pass"}, "failure", "docker-credential-pass"),
        ({"psFormat": 1}, "failure", "`psFormat` is not a string"),
        ({"HttpHeaders": {"X": "y"}}, "warning", "ignores the whole variable"),
        ({"credHelpers": {"a.example.com": "x"}}, "warning", "docker-credential-x"),
        ({"credHelpers": {HARBOR: "x"}}, "failure", "docker-credential-x"),
    ],
)
def test_what_stands_beside_the_logins(
    known: Case, top: dict[str, object], level: str, words: str
) -> None:
    """What Docker itself does not take is a failure; what only some programs refuse is not."""
    the(reported(json.dumps({**json.loads(GOOD), **top}), known), level, words)


def test_two_spellings(known: Case) -> None:
    """They are judged one by one, and it is said which one to keep."""
    auths = json.loads(GOOD)["auths"]
    other = json.loads(document(harbor=OLD))["auths"][HARBOR]
    text = json.dumps({"auths": {**auths, f"https://{HARBOR}": other}})
    assert f"keep {HARBOR}" in the(reported(text, known), "warning", "are one registry").todo


def test_several_paths(known: Case) -> None:
    """Docker takes one of them at random."""
    entry = json.loads(GOOD)["auths"][HARBOR]
    other = json.loads(document(harbor=OLD))["auths"][HARBOR]
    text = json.dumps({"auths": {f"{HARBOR}/a": entry, f"{HARBOR}/b": other}})
    assert "one login" in the(reported(text, known), "failure", "at random").todo


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"auths":{"a":{"auth":"dTpw', "it was cut off"),
    ],
    ids=["deep", "cut off"],
)
def test_no_json(known: Case, text: str, words: str) -> None:
    """It is said how it came about, where that can be seen."""
    (found,) = judge(text.encode(), "job.json", [known])
    assert (found.level, words in found.found) == ("failure", True), found
