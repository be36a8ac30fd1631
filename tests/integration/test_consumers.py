"""The rules of `rotator.clients` are those of the programs themselves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from rotator.clients import document
from rotator.clients.judge import judge
from rotator.clients.lookups import Consumer, Verdict
from rotator.core.docker_config import DockerConfig, decode, encode
from rotator.core.docker_entry import DOCKER_HUB
from rotator.core.docker_merge import merge
from rotator.core.errors import DriverError
from rotator.core.model import Credential, Secret
from tests.clients.examples import EXAMPLES, GOOD, HOST, Example, entry
from tests.clients.programs import CONTAINERS, GO_CLIENTS, Used, ask_containers, ask_go
from tests.support import NOW

if TYPE_CHECKING:
    from pathlib import Path

CONSUMERS = {
    "docker-file": Consumer.DOCKER_FILE,
    "docker-variable": Consumer.DOCKER_VARIABLE,
    "crane": Consumer.DOCKER_FILE,
    **dict.fromkeys(CONTAINERS, Consumer.CONTAINERS),
}


def judged(example: Example, consumer: Consumer) -> Verdict:
    """Return our own verdict."""
    return judge(example.text, registries=[example.registry]).verdicts[example.registry][consumer]


def agrees(example: Example, client: str, used: Used) -> bool:
    """Tell whether a program did what our verdict says, down to the key that it chose."""
    verdict = judged(example, CONSUMERS[client])
    if verdict.at_random:
        # crane fails where Docker goes on with what it had decoded until then
        return len(used.users) > 1 or (client == "crane" and bool(used.error))
    if verdict.key is None:
        return used.users == {""}
    found = document.parse(example.text).auths[verdict.key]
    login = found.login or (None if client in CONTAINERS else found.plain) or ("",)
    return used.users == {login[0]}


@pytest.mark.parametrize("client", ["docker-file", "docker-variable", "crane"])
def test_docker_and_crane(client: str, tmp_path: Path) -> None:
    """Docker 29.8's own code, for its file and for the variable, and crane's."""
    used = ask_go(client, [(one.text, one.registry) for one in EXAMPLES], tmp_path)
    wrong = {
        str(example): (judged(example, CONSUMERS[client]), answer)
        for example, answer in zip(EXAMPLES, used, strict=True)
        if not agrees(example, client, answer)
    }
    assert not wrong


@pytest.mark.parametrize("program", CONTAINERS)
def test_skopeo_podman_and_buildah(program: str, tmp_path: Path) -> None:
    """Debian's, which are asked once for each document: nothing depends on chance in these."""
    wrong = {}
    for example in EXAMPLES:
        verdict = judged(example, Consumer.CONTAINERS)
        used = ask_containers(program, example.text, example.registry, tmp_path)
        if not verdict.at_random and not agrees(example, program, used):
            wrong[str(example)] = (verdict, used)
    assert not wrong


def test_oras_takes_what_docker_takes(tmp_path: Path) -> None:
    """What Docker takes from its file oras takes as well, but for few of these."""
    used = ask_go("oras", [(one.text, one.registry) for one in EXAMPLES], tmp_path)
    refused = [
        str(example)
        for example, answer in zip(EXAMPLES, used, strict=True)
        if judged(example, Consumer.DOCKER_FILE).taken and answer.users != {GOOD}
    ]
    assert sorted(refused) == [
        "`AUTHS` in capitals",
        "`auths` with the long s",
        "an empty name in `credHelpers` for the registry, and a `credsStore`",
        "key `HTTPS://HOST`",
        "two `auths` members",
    ]


def test_all_take_what_rotator_writes(tmp_path: Path) -> None:
    """Into nothing, and with the line end that a file has: one form for every program."""
    credentials = [
        Credential(registry, GOOD, Secret("s3cr3t-of-good"), NOW)
        for registry in (HOST, f"{HOST}:5000", DOCKER_HUB, "[::1]:5000")
    ]
    text = encode(merge(DockerConfig(), credentials).config)
    for end in ("", "\n"):
        judgement = judge(text + end)
        assert not judgement.problems
        assert all(v.taken for each in judgement.verdicts.values() for v in each.values())
        questions = [(text + end, credential.registry) for credential in credentials]
        for client in GO_CLIENTS:
            asked = questions[:3] if client == "crane" else questions  # it takes no IPv6 address
            assert all(one.users == {GOOD} for one in ask_go(client, asked, tmp_path)), client
        for program in CONTAINERS:
            for document_text, registry in questions:
                used = ask_containers(program, document_text, registry, tmp_path)
                assert used.users == {GOOD}, (program, registry)


@pytest.mark.parametrize("client", ["docker-file", "docker-variable"])
def test_what_rotator_writes_over_other_peoples(client: str, tmp_path: Path) -> None:
    """Our own verdict on what is published over any of these documents is Docker's as well."""
    ours = Credential(HOST, GOOD, Secret("s3cr3t-of-good"), NOW)
    written = [
        Example(example.words, encode(merge(decode(example.text), [ours]).config))
        for example in EXAMPLES
        if core_reads(example.text)
    ]
    used = ask_go(client, [(one.text, HOST) for one in written], tmp_path)
    assert len(written) > 60
    assert all(agrees(*pair) for pair in zip(written, [client] * len(used), used, strict=True))


def test_the_variable_beats_the_file(tmp_path: Path) -> None:
    """Where it has a login for the registry, dead or not; a variable that Docker drops does not."""
    file = document_of({HOST: GOOD, "other.example.com": GOOD})
    stale = document_of({HOST: "stale"})
    dropped = stale[:-1] + ',"HttpHeaders":{}}'
    questions = [(stale, HOST), (stale, "other.example.com"), (dropped, HOST), ("", HOST)]
    used = ask_go("docker-variable", questions, tmp_path, file)
    assert [one.users for one in used] == [{"stale"}, {GOOD}, {GOOD}, {GOOD}]
    assert "Failed to create credential store from DOCKER_AUTH_CONFIG" in used[2].error


def document_of(users: dict[str, str]) -> str:
    """Return a document with these users' logins."""
    return json.dumps({"auths": {registry: entry(user) for registry, user in users.items()}})


def core_reads(text: str) -> bool:
    """Tell whether rotator merges into this document."""
    try:
        decode(text)
    except DriverError:
        return False
    return True
