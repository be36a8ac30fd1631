"""GitLab Runner's rules, each with the function of its source that has it.

GitLab Runner 19.4, helpers/docker/auth/auth.go. It is not built here, as its modules are not on the
Go module proxy.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from rotator.clients.judge import judge
from rotator.clients.lookups import Consumer, Verdict, runner_path
from rotator.core.docker_entry import DOCKER_HUB
from tests.clients.examples import HOST, entry

BROKEN = {"auth": "?"}


def verdict(auths: dict[str, Any], registry: str = HOST, **top: Any) -> Verdict:
    """Return what the runner does for a registry."""
    text = json.dumps({"auths": auths, **top})
    return judge(text, registries=[registry]).verdicts[registry][Consumer.RUNNER]


@pytest.mark.parametrize(
    ("reference", "path"),
    [
        ("https://index.docker.io/v1/", "docker.io"),
        ("HTTPS://Index.Docker.IO/v2/", "docker.io"),
        ("index.docker.io", "index.docker.io"),
        ("https://docker.io", "docker.io"),
        ("http://H.example:5000/any/path", "h.example:5000"),
        ("H.example/Team/", "h.example/Team"),
        ("h.example:5000", "h.example:5000"),
        ("h.example:5000/team:1", "h.example:5000/team"),
        ("h.example/v1/", "h.example/v1"),
    ],
)
def test_the_path_of_a_key(reference: str, path: str) -> None:
    """`convertToRegistryPath`."""
    assert runner_path(reference) == path


@pytest.mark.parametrize(
    ("auths", "registry", "key"),
    [
        ({HOST: entry()}, HOST, HOST),
        ({HOST.upper(): entry()}, HOST, HOST.upper()),
        # `ConfigForImage` looks for the longest path first.
        ({HOST: entry(), f"{HOST}/team": entry()}, f"{HOST}/team", f"{HOST}/team"),
        ({HOST: entry(), f"{HOST}/team": entry()}, HOST, HOST),
        # `withStableOrder` sorts the keys, and `Append` keeps the first of one path.
        ({f"https://{HOST}": entry(), f"http://{HOST}": entry()}, HOST, f"http://{HOST}"),
        ({"docker.io": entry(), DOCKER_HUB: entry()}, DOCKER_HUB, "docker.io"),
    ],
)
def test_the_key_that_it_uses(auths: dict[str, Any], registry: str, key: str) -> None:
    """`ConfigForImage`, `AllConfigs`."""
    assert verdict(auths, registry) == Verdict(taken=True, key=key)


@pytest.mark.parametrize(
    ("auths", "top", "words"),
    [
        # `readConfigsFromReader` gives up with the first error of docker/cli's `LoadFromReader`.
        ({HOST: entry(), "n": BROKEN}, {}, "drops the whole document: the entry n"),
        ({HOST: entry()}, {"psFormat": 1}, "drops the whole document: psFormat is not a string"),
        # `readConfigsFromCredentialsHelper` runs each of them.
        ({HOST: entry()}, {"credHelpers": {"n": "a"}}, "where it can't run docker-credential-a"),
        ({HOST: entry()}, {"credsStore": "b"}, "where it can't run docker-credential-b"),
        # `errPathTraversal` ends the search in all sources, so that no image is pulled.
        ({HOST: entry()}, {"credHelpers": {"n": "../x"}}, "refuses every image"),
        ({HOST: entry()}, {"credHelpers": {"n": ""}}, "refuses every image"),
        ({HOST: entry()}, {"credsStore": "a/b"}, "refuses every image"),
        ({"n": entry()}, {}, "there is no entry for it"),
        ({f"{HOST}/v1/": entry()}, {}, "not under the name"),
        ({HOST: {}}, {}, "holds no login"),
    ],
)
def test_why_it_uses_none(auths: dict[str, Any], top: dict[str, Any], words: str) -> None:
    """`readConfigsFromReader`, and the functions that it calls."""
    found = verdict(auths, **top)
    assert not found.taken
    assert words in found.why


@pytest.mark.parametrize(
    ("key", "taken"), [(f"https://{HOST}/x", True), (f"https://[{HOST}", False), ("http://", False)]
)
def test_docker_takes_the_host_out_of_an_address(key: str, *, taken: bool) -> None:
    """`ConvertToHostname`, also where the key is no address."""
    text = json.dumps({"auths": {key: entry()}})
    judged = judge(text, registries=[HOST]).verdicts[HOST]
    assert judged[Consumer.DOCKER_FILE].taken is taken
