"""A document that comes in something else, or is none."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
import yaml

from rotator.checks.document import judge
from rotator.checks.wrapping import LARGEST
from tests.unit.checks.described import levels, the
from tests.unit.checks.document.documents import GOOD, reported

if TYPE_CHECKING:
    from rotator.inspection import Case


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


def secret(text: str, **more: object) -> dict[str, object]:
    """Return a Secret as `kubectl get -o json` prints it."""
    data = {"config.json": base64.b64encode(text.encode()).decode()}
    about = {"namespace": "ci", "name": "docker"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": about, "data": data, **more}


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
