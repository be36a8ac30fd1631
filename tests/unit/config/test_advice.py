"""What `check --offline` says of a configuration that is right by its form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from rotator.config.advice import advice
from rotator.config.load import load_whole
from rotator.core.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

ECR: dict[str, Any] = {"type": "ecr", "region": "eu-west-1"}
VAULT: dict[str, Any] = {
    "type": "vault",
    "address": "https://vault.example.com",
    "auth": {"method": "token", "token_file": "/nowhere/token"},
    "path": "secret/harbor",
    "registry": "harbor.example.com",
}
HELPER: dict[str, Any] = {"type": "credential_helper", "helper": "x", "registries": ["a.test"]}
FILE: dict[str, Any] = {"type": "file", "path": "/opt/.docker/config.json"}
GITLAB: dict[str, Any] = {
    "type": "gitlab_variable",
    "url": "https://gitlab.example.com",
    "group": "team",
    "token_file": "/nowhere/token",
}


def written(place: Path, source: dict[str, Any], target: dict[str, Any] | None = None) -> Path:
    """Write a configuration with this source and target."""
    rotation = {"name": "dind", "sources": [source], "targets": [target or FILE]}
    file = place / "rotator.yaml"
    file.write_text(yaml.safe_dump({"version": 1, "rotations": [rotation]}))
    return file


def said(place: Path, source: dict[str, Any], target: dict[str, Any] | None = None) -> list[str]:
    """Return the advice as sentences; the configuration itself is right."""
    file = written(place, source, target)
    found = advice(file, load_whole(file, {}))
    assert all(one.where.startswith(f"{file}:") and one.where.count(":") == 2 for one in found)
    return [f"{one.found}; {one.todo}" for one in found]


@pytest.mark.parametrize("source", [ECR, VAULT, HELPER], ids=lambda one: str(one["type"]))
def test_what_is_meant(tmp_path: Path, source: dict[str, Any]) -> None:
    """Nothing is said of what is right."""
    assert said(tmp_path, source) == []
    assert said(tmp_path, source, GITLAB) == []


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({**ECR, "region": "eu-wset-1"}, "no region `eu-wset-1`; did you mean eu-west-1?"),
        ({**VAULT, "address": "http://vault.example.com"}, "travel unencrypted"),
        ({**VAULT, "path": "secret/data/harbor"}, "`vault kv get` takes it: secret/harbor"),
        ({**VAULT, "registry": "registry-1.docker.io"}, "clients look for docker.io"),
        ({**VAULT, "registry": "https://hub.docker.com/"}, "the web page of Docker Hub"),
        ({**HELPER, "registries": ["a.test", "github.com"]}, "registry is ghcr.io"),
        ({**VAULT, "username": "robot "}, "`username` has a blank at an end"),
        ({**VAULT, "path": "v1/secret/metadata/x"}, "`vault kv get` takes it: secret/x"),
        ({**VAULT, "path": "v1/secret/x"}, "`vault kv get` takes it: secret/x"),
        ({**VAULT, "registry": "hub.docker.com/r/team"}, "the web page of Docker Hub"),
        ({**VAULT, "registry": "www.gitlab.com:443"}, "registry.gitlab.com"),
        ({**VAULT, "registry": "eu-west-1.console.aws.amazon.com"}, "ACCOUNT.dkr.ecr"),
        ({**VAULT, "registry": "api.ecr.eu-west-1.amazonaws.com"}, "ACCOUNT.dkr.ecr"),
        ({**VAULT, "registry": "quay.io/repository"}, "its registry is quay.io"),
        ({**HELPER, "registries": ["123456789012.dkr.ecr.eu-wset-1.amazonaws.com"]}, "eu-west-1?"),
        ({**ECR, "endpoint_url": "http://ecr.example.com"}, "travel unencrypted"),
    ],
)
def test_what_is_probably_not_meant(tmp_path: Path, source: dict[str, Any], words: str) -> None:
    """It says what it saw, and what to write instead."""
    (one,) = said(tmp_path, source)
    assert words in one


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({**GITLAB, "url": "http://gitlab.example.com"}, "travel unencrypted"),
        ({**GITLAB, "url": "https://gitlab.com/team"}, "write https://gitlab.com"),
        ({**FILE, "path": "/opt/.docker"}, "/opt/.docker/config.json"),
    ],
)
def test_targets(tmp_path: Path, target: dict[str, Any], words: str) -> None:
    """The same for where it is published."""
    (one,) = said(tmp_path, HELPER, target)
    assert words in one
    assert said(tmp_path, HELPER, {**GITLAB, "url": "https://g.example.com/gitlab"}) == []


def test_registries_that_are_some(tmp_path: Path) -> None:
    """Nothing is said of names that clients use."""
    hosts = [
        "docker.io",
        "quay.io",
        "ghcr.io",
        "registry.gitlab.com",
        "a.azurecr.io",
        "b.test:5000",
    ]
    hosts += ["123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "eu-docker.pkg.dev"]
    assert said(tmp_path, {**HELPER, "registries": hosts}) == []


def test_a_vault_on_this_machine_may_speak_http(tmp_path: Path) -> None:
    """Nobody can listen there."""
    for host in ("127.0.0.1:8200", "localhost", "[::1]:8200"):
        assert said(tmp_path, {**VAULT, "address": f"http://{host}"}) == []


def test_regions_of_every_partition_are_known(tmp_path: Path) -> None:
    """The list is AWS's own."""
    for region in ("us-gov-west-1", "cn-north-1", "eusc-de-east-1", "ap-southeast-7"):
        assert said(tmp_path, {**ECR, "region": region}) == []


def test_a_secret_that_everybody_reads(tmp_path: Path) -> None:
    """Its mode counts, and nothing in it."""
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if parent.name.startswith(("pytest-", "popen-")):  # pytest's own, and never all of /tmp
            parent.chmod(0o755)
    secret = tmp_path / "token"
    secret.write_text("s3cr3t-t")
    secret.chmod(0o644)
    source = {**VAULT, "auth": {"method": "token", "token_file": str(secret)}}
    (one,) = said(tmp_path, source)
    assert one.endswith(f"chmod 600 {secret}")
    login = {"type": "docker_config", "path": str(secret), "registries": ["a.test"]}
    assert said(tmp_path, login)[0].endswith(f"chmod 600 {secret}")
    cluster = {"type": "kubernetes_secret", "namespace": "ci", "name": "x"}
    assert said(tmp_path, HELPER, {**cluster, "kubeconfig": str(secret)})
    assert said(tmp_path, {**ECR, "web_identity_token_file": str(secret)})
    secret.chmod(0o600)
    assert said(tmp_path, source) == said(tmp_path, login) == []


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ({**VAULT, "path": "secret/${ENV}/harbor"}, FILE, "`${ENV}` is no value"),
        ({**HELPER, "registries": ["${REGISTRY}"]}, FILE, "item 1: `${REGISTRY}` is no value"),
        ({**VAULT, "namespace": "{{ namespace }}"}, FILE, "`{{ namespace }}` is no value"),
        ({**VAULT, "address": "https://v.example.com/v1"}, FILE, "https://v.example.com"),
        ({**VAULT, "address": "https://v.example.com/v1/secret"}, FILE, "without `/v1/secret`"),
        ({**VAULT, "address": "https://v.example.com/ui/"}, FILE, "without `/ui`"),
        (ECR, {**GITLAB, "url": "https://gitlab.example.com/api/v4/"}, "without `/api/v4`"),
        (ECR, {**GITLAB, "url": "https://gitlab.example.com/groups/x"}, "without `/groups/x`"),
        ({**ECR, "region": "$AWS_REGION"}, FILE, "`region`: `$AWS_REGION` is no value"),
        ({**VAULT, "username": "$(cat s3cr3t-x)"}, FILE, "`username`: this is no value"),
        ({**VAULT, "username": "${USER:-s3cr3t-x}"}, FILE, "`username`: this is no value"),
    ],
)
def test_what_is_never_right(
    tmp_path: Path, source: dict[str, Any], target: dict[str, Any], words: str
) -> None:
    """It is an error, with its place, and what was seen."""
    with pytest.raises(ConfigError) as caught:
        load_whole(written(tmp_path, source, target), {})
    assert words in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("registries", "target", "words"),
    [
        (
            ["a.test/x", "a.test/y"],
            FILE,
            "are paths of one host: Docker takes one of them at random",
        ),
        (["a.test/x", "a.test"], FILE, "Docker ignores keys with a path"),
        (["a.test/x"], GITLAB, "does not find it in $DOCKER_AUTH_CONFIG"),
        (["a.test/x", "a.test/y"], GITLAB, "at random"),
    ],
)
def test_paths(tmp_path: Path, registries: list[str], target: dict[str, Any], words: str) -> None:
    """Keys with a path, where programs do not find them; the target's line, and what to do."""
    (found,) = said(tmp_path, {**HELPER, "registries": registries}, target)
    assert words in found
    assert "one login for a.test" in found


@pytest.mark.parametrize(
    ("registries", "target"),
    [
        (["a.test/x"], FILE),
        (["a.test/x", "b.test/y"], FILE),
        (["a.test/x", "a.test/y"], {**FILE, "registries": ["a.test/x"]}),
        (["a.test/x"], {**GITLAB, "content": "password", "registry": "a.test/x"}),
    ],
)
def test_paths_that_work(tmp_path: Path, registries: list[str], target: dict[str, Any]) -> None:
    """One path a host in a file, and what is no document."""
    assert said(tmp_path, {**HELPER, "registries": registries}, target) == []


def test_paths_of_two_rotations_in_one_place(tmp_path: Path) -> None:
    """Each of them is right alone, and the document holds both."""
    rotations = [
        {"name": name, "sources": [{**HELPER, "registries": [f"a.test/{name}"]}], "targets": [FILE]}
        for name in ("x", "y")
    ]
    file = tmp_path / "rotator.yaml"
    file.write_text(yaml.safe_dump({"version": 1, "rotations": rotations}))
    assert ["at random" in one.found for one in advice(file, load_whole(file, {}))] == [True, True]
