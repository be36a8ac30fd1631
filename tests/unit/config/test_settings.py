"""What the settings are once they are loaded."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rotator.config.schema import ScheduleSettings
from rotator.config.sources import VaultSourceSettings
from rotator.config.targets import FileTargetSettings, VaultKvTargetSettings
from rotator.config.vault_auth import ApproleAuthSettings, AwsAuthSettings, KubernetesAuthSettings
from rotator.core.errors import ConfigError
from rotator.core.model import Content, Merge, Policy, ProofMode, Schedule
from tests.unit.config.documents import (
    ECR,
    FILE,
    GITLAB,
    HOST,
    KV,
    LOGIN,
    VAULT,
    document,
    with_source,
    with_target,
)

if TYPE_CHECKING:
    from tests.unit.config.conftest import Loaded


def test_values_are_ready_for_use(loaded: Loaded) -> None:
    """Registries are canonical, URLs without slash, durations and shares numbers."""
    text = LOGIN.replace("FILE", "f").replace(
        "- name: r\n  ", "- name: r\n  prove: off\n  longest_job: 90m\n  remove: [HTTPS://H.io/v2/]"
    )
    rotation = loaded(text).rotations[0]
    source = rotation.sources[0]
    assert isinstance(source, VaultSourceSettings)
    assert source.known_registries() == {"https://index.docker.io/v1/"}
    assert source.address == "https://v"
    assert rotation.remove == ("h.io",)
    assert rotation.prove is ProofMode.OFF
    assert rotation.longest_job == timedelta(minutes=90)


def test_unquoted_numbers_keep_their_digits(loaded: Loaded) -> None:
    """An account that begins with 0 and a mode are what they look like."""
    rotation = loaded(
        document(
            sources=("{type: ecr, region: cn-north-1, accounts: [012345670123]}",),
            targets=("{type: file, path: /f, mode: 0640, owner: 0100}",),
        )
    ).rotations[0]
    registry = "012345670123.dkr.ecr.cn-north-1.amazonaws.com.cn"
    assert rotation.sources[0].known_registries() == {registry}
    file = rotation.targets[0]
    assert isinstance(file, FileTargetSettings)
    assert (file.mode, file.owner) == (0o640, "0100")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (ECR, {HOST}),
        ("{type: ecr, region: eu-west-1}", None),
        ("{type: ecr_public}", {"public.ecr.aws"}),
        (f"{{{VAULT}, registry: h.io:443}}", {"h.io:443"}),
        (f"{{{VAULT}, docker_config_field: f}}", None),
        ("{type: credential_helper, helper: x, registries: [a.io, b.io]}", {"a.io", "b.io"}),
        ("{type: docker_config, path: /d}", None),
        ("{type: docker_config, path: /d, registries: [a.io]}", {"a.io"}),
    ],
)
def test_known_registries(source: str, expected: set[str] | None, loaded: Loaded) -> None:
    """A source tells its registries where the configuration names them."""
    assert loaded(with_source(source)).rotations[0].sources[0].known_registries() == expected


def test_sources_are_named(loaded: Loaded) -> None:
    """A source is called by its type, with a number where that is taken."""
    text = document(
        sources=(
            f"{{{VAULT}, registry: a.io}}",
            f"{{{VAULT}, registry: b.io, name: vault-2}}",
            f"{{{VAULT}, registry: c.io}}",
        )
    )
    names = [source.name for source in loaded(text).rotations[0].sources]
    assert names == ["vault", "vault-2", "vault-3"]


DOCKER_CONFIG_JSON = "secret_type: kubernetes.io/dockerconfigjson"
KUBERNETES = "namespace: n, name: o"
PART = f"registry: {HOST}, content"


@pytest.mark.parametrize(
    ("target", "name", "filled"),
    [
        (FILE, "file:/f", {"mode": None, "durable": True}),
        ("{type: file, path: /f, name: own}", "own", {"name": "own"}),
        (
            f"{{type: kubernetes_secret, {KUBERNETES}}}",
            "kubernetes_secret:n/o",
            {"key": "config.json"},
        ),
        (
            f"{{type: kubernetes_configmap, {KUBERNETES}, context: c, kubeconfig: /k}}",
            "kubernetes_configmap:n/o@/k@c",
            {"key": "config.json"},
        ),
        (
            "{type: kubernetes_secret, namespaces: [ops, team-*], name: o}",
            "kubernetes_secret:ops,team-*/o",
            {"namespace": None, "namespaces": ("ops", "team-*")},
        ),
        (
            "{type: kubernetes_configmap, namespace_selector: {ci: yes}, name: o, context: c}",
            "kubernetes_configmap:ci=yes/o@c",
            {"namespace_selector": {"ci": "yes"}},
        ),
        (
            f"{{type: kubernetes_secret, {KUBERNETES}, {DOCKER_CONFIG_JSON}}}",
            "kubernetes_secret:n/o",
            {"key": ".dockerconfigjson"},
        ),
        (
            f"{{type: kubernetes_secret, {KUBERNETES}, {PART}: password}}",
            "kubernetes_secret:n/o",
            {"key": "password"},
        ),
        (
            f"{{{GITLAB}, group: g/h}}",
            "gitlab_variable:g/h/DOCKER_AUTH_CONFIG",
            {"masked": True, "protected": None, "description": None},
        ),
        (
            f"{{{GITLAB}, project: 5, {PART}: username, environment_scope: prod}}",
            "gitlab_variable:5/DOCKER_REGISTRY_USER@prod",
            {"masked": False},
        ),
        (
            f"{{{GITLAB}, group: g, {PART}: username, masked: true, key: U}}",
            "gitlab_variable:g/U",
            {"masked": True},
        ),
        (
            f"{{{GITLAB}, group: g, {PART}: password}}",
            "gitlab_variable:g/DOCKER_REGISTRY_PASS",
            {"masked": True},
        ),
        (f"{{{KV}}}", "vault_kv:s/x", {"field": "config.json"}),
        (f"{{{KV}, {PART}: username}}", "vault_kv:s/x", {"field": "username"}),
        (f"{{{KV}, field: f}}", "vault_kv:s/x", {"field": "f"}),
    ],
)
def test_targets_are_named_and_filled(
    target: str, name: str, filled: dict[str, object], loaded: Loaded
) -> None:
    """A target is called by its type and place; defaults that depend on other keys are there."""
    settings = loaded(with_target(target)).rotations[0].targets[0]
    assert settings.target_name == name
    assert {key: getattr(settings, key) for key in filled} == filled


def test_what_the_core_gets(loaded: Loaded) -> None:
    """Schedule and policy are in the core's own terms."""
    more = (
        "longest_job: 2h\n  schedule: {renew_after: 30%, jitter: 10%, poll: 1m,"
        " retry: {initial: 1s, max: 1m}}"
    )
    target = f"{{type: file, path: /f, registries: [{HOST}], merge: replace, follows: true}}"
    rotation = loaded(document(more=more, targets=(target,))).rotations[0]
    assert rotation.timing() == Schedule(
        0.3,
        0.1,
        timedelta(minutes=1),
        timedelta(seconds=1),
        timedelta(minutes=1),
        timedelta(hours=2),
    )
    assert rotation.targets[0].policy() == Policy(
        frozenset({HOST}), Content.DOCKER_CONFIG, None, Merge.REPLACE, follows=True
    )


def test_the_defaults_are_the_cores(loaded: Loaded) -> None:
    """What the configuration leaves out is what the core has anyway."""
    rotation = loaded(document()).rotations[0]
    assert rotation.timing() == Schedule()
    assert rotation.targets[0].policy() == Policy()


@pytest.mark.parametrize(
    ("listen", "host", "port"), [("127.0.0.1:9465", "127.0.0.1", 9465), ("'[::1]:80'", "::1", 80)]
)
def test_listen(listen: str, host: str, port: int, loaded: Loaded) -> None:
    """Address and port come apart."""
    http = loaded(document(root=f"http: {{listen: {listen}}}")).http
    assert http is not None
    assert (http.host, http.port) == (host, port)


def test_service_account(loaded: Loaded) -> None:
    """A pod's login needs no more than its role."""
    auth = "auth: {method: kubernetes, role: r}"
    source = loaded(
        with_source(f"{{type: vault, address: https://v, {auth}, path: s/x, registry: h}}")
    )
    settings = source.rotations[0].sources[0]
    assert isinstance(settings, VaultSourceSettings)
    assert isinstance(settings.auth, KubernetesAuthSettings)
    token = "/var/run/secrets/kubernetes.io/serviceaccount/token"
    assert (settings.auth.role, settings.auth.mount) == ("r", "kubernetes")
    assert settings.auth.jwt_file == Path(token)


def test_settings_made_by_code_take_values() -> None:
    """Code gives paths, durations, shares, modes and switches as such, no texts."""
    file = FileTargetSettings(path=Path("/f"), mode=0o640, durable=False)
    assert (file.mode, file.durable, file.name) == (0o640, False, "file:/f")
    assert ScheduleSettings(renew_after=0.3, poll=timedelta(seconds=1)).renew_after == 0.3
    kv = VaultKvTargetSettings(
        address="https://v", auth=AwsAuthSettings(), path="s/x", keep_versions=3
    )
    assert (kv.keep_versions, kv.type, kv.auth.method) == (3, "vault_kv", "aws")
    with pytest.raises(TypeError, match="colour"):
        FileTargetSettings(path=Path("/f"), colour="red")  # type: ignore[call-arg]


def test_settings_do_not_change() -> None:
    """What was checked stays as it was."""
    with pytest.raises(AttributeError, match="immutable"):
        FileTargetSettings(path=Path("/f")).mode = 0o644  # type: ignore[misc]


OBJECT = "{{type: kubernetes_configmap, namespace: {}, name: {}, key: {}}}"


@pytest.mark.parametrize(
    "words",
    [
        ("n", "a..b", "k"),
        ("n", ".a", "k"),
        ("n", "a.-b", "k"),
        ("n", "a-.b", "k"),
        ("n", "A", "k"),
        ("n", "a" * 254, "k"),
        ("n" * 64, "a", "k"),
        ("n.m", "a", "k"),
        ("n", "a", ".."),
        ("n", "a", "."),
        ("n", "a", "..x"),
        ("n", "a", "a/b"),
        ("n", "a", "k" * 254),
    ],
)
def test_names_that_no_api_server_takes(words: tuple[str, str, str], loaded: Loaded) -> None:
    """They are found before anything is asked, as are keys that it would refuse."""
    with pytest.raises(ConfigError):
        loaded(document(targets=(OBJECT.format(*words),)))


@pytest.mark.parametrize(
    "words", [("n", "a.b-c.0", ".dockerconfigjson"), ("0", "a", "A_b"), ("n", "a", "a..b")]
)
def test_names_that_an_api_server_takes(words: tuple[str, str, str], loaded: Loaded) -> None:
    """A key may have dots inside, a name may begin with a digit."""
    loaded(document(targets=(OBJECT.format(*words),)))


@pytest.mark.parametrize("name", ["-a", "a/b/c", "A.b/c", "a" * 64, "/a", "ü"])
def test_labels_that_no_api_server_takes(name: str, loaded: Loaded) -> None:
    """The same for labels and annotations."""
    for key in ("labels", "annotations"):
        target = f"{{type: kubernetes_secret, {KUBERNETES}, {key}: {{{name}: x}}}}"
        with pytest.raises(ConfigError):
            loaded(document(targets=(target,)))


def test_what_the_journal_holds_of_a_source_is_the_same_for_every_unit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each unit has its own directory of credentials: root's `run-once` is another one's."""

    def digest_in(directory: str, file: str = "secret-id") -> str:
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / directory))
        auth = ApproleAuthSettings(role_id="r", secret_id_file=tmp_path / directory / file)
        return VaultSourceSettings(address="https://v.example", auth=auth, path="a/b").configured()

    assert digest_in("daemon") == digest_in("command")
    assert digest_in("daemon") != digest_in("daemon", "another")
