"""The Kubernetes targets over the fake API server: what is refused, and what is said then."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import (
    GoneError,
    PermanentError,
    Reason,
    TemporaryError,
)
from rotator.core.model import Held, Secret
from rotator.kubernetes.access import Access
from rotator.kubernetes.stored import secrets_in
from tests.fakes.kubernetes_world import (
    LATER,
    MARK,
    PASSWORD,
    PULL_SECRET,
    ROTATOR,
    ROTATOR_TOKEN,
    TEXT,
    World,
    error_of_write,
)
from tests.support import free_port

if TYPE_CHECKING:
    from pathlib import Path


def test_says_that_an_object_is_immutable(world: World) -> None:
    """Reading it works, with a note; writing says which commands help."""
    world.put(data={"config.json": "{}"}, immutable=True)
    target = world.target()
    held = target.read()
    assert "immutable" in held.notes[0]

    error = error_of_write(target, held)

    assert isinstance(error, PermanentError)
    assert error.reason is Reason.IMMUTABLE
    here = f"kubectl --kubeconfig {world.kubeconfig} -n ci"
    assert f"{here} get configmap docker -o yaml | sed" in error.hint
    assert f"| {here} replace --force -f -" in error.hint


def test_says_that_a_type_cannot_change(world: World) -> None:
    """A Secret of another type is not silently written."""
    world.put("secrets", data={"config.json": "e30="}, type="Opaque")

    error = error_of_write(world.target(PULL_SECRET))

    assert (error.reason, "another type" in error.detail) == (Reason.IMMUTABLE, True)
    assert "`secret_type`" in error.hint
    assert "delete" not in error.hint
    assert world.look("secrets")["data"] == {"config.json": "e30="}


@pytest.mark.parametrize("state", ["missing", "Terminating"])
def test_says_that_the_namespace_is_missing(world: World, state: str) -> None:
    """Without its namespace an object reads as missing; the write says what to make."""
    world.objects.namespaces["ci"] = state
    if state == "missing":
        del world.objects.namespaces["ci"]
    target = world.target()
    assert target.read() == Held(None)

    error = error_of_write(target)

    assert (type(error), error.reason) == (PermanentError, Reason.NOT_FOUND)
    assert error.hint.endswith("create namespace ci")


def test_measures_before_it_sends(world: World) -> None:
    """A document over 1 MiB is refused without a request."""
    target = world.target()
    held = target.read()
    calls = len(world.fake.calls)

    with pytest.raises(PermanentError) as caught:
        target.write(Secret("ä" * 600_000), MARK, held)

    assert caught.value.reason is Reason.TOO_LARGE
    assert "1200000 bytes" in caught.value.detail
    assert len(world.fake.calls) == calls


@pytest.mark.parametrize("secret_type", [None, "Opaque"])
def test_says_that_all_values_are_too_large(world: World, secret_type: str | None) -> None:
    """The limit is on all keys together, which only the server knows."""
    data = "x" * 1_048_570 if secret_type is None else base64.b64encode(bytes(1_048_570)).decode()
    world.put("secrets" if secret_type else "configmaps", data={"big": data})

    error = error_of_write(world.target(secret_type))

    assert (type(error), error.reason) == (PermanentError, Reason.TOO_LARGE)


@pytest.mark.parametrize("plural", ["configmaps", "secrets"])
def test_says_that_a_value_is_no_text(world: World, plural: str) -> None:
    """What PowerShell redirected into a file is UTF-16, which nobody can merge."""
    binary = base64.b64encode("{}".encode("utf-16")).decode()
    field = "data" if plural == "secrets" else "binaryData"
    world.put(plural, **{field: {"config.json": binary}})

    with pytest.raises(GoneError) as caught:
        world.target("Opaque" if plural == "secrets" else None).read()

    assert caught.value.reason is Reason.MALFORMED
    assert f'patch {plural[:-1]} docker --type merge -p \'{{"{field}"' in caught.value.hint


RULES = {
    "get": {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["docker"]},
    "patch": {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["docker"]},
    "create": {"apiGroups": [""], "resources": ["configmaps"]},
}


def _allow(world: World, tmp_path: Path, *verbs: str) -> Access:
    rules = [{**RULES[verb], "verbs": [verb]} for verb in verbs]
    world.fake.allow(ROTATOR_TOKEN, ROTATOR, rules, "ci")
    path = world.fake.kubeconfig(tmp_path / "rotator", token=ROTATOR_TOKEN, context="rotator")
    return Access(path)


def test_needs_three_verbs(world: World, tmp_path: Path) -> None:
    """`get` and `patch` on the one name and `create` are enough for a life."""
    target = world.target(access=_allow(world, tmp_path, "get", "patch", "create"))

    held = target.write(TEXT, MARK, target.read())

    assert target.write(LATER, MARK, held) == target.read()


@pytest.mark.parametrize("lacking", ["get", "create", "patch"])
def test_says_which_verb_is_missing(world: World, tmp_path: Path, lacking: str) -> None:
    """The hint holds the rule to add: with exactly that one added, it works."""
    if lacking == "patch":
        world.put(data={"config.json": "{}"})
    target = world.target(access=_allow(world, tmp_path, *(RULES.keys() - {lacking})))

    error = error_of_write(target)

    assert (type(error), error.reason) == (PermanentError, Reason.FORBIDDEN)
    assert f"{ROTATOR} lacks the verb {lacking} on configmaps" in error.detail
    names = "" if lacking == "create" else ' resourceNames: ["docker"],'
    rule = f'{{apiGroups: [""], resources: ["configmaps"],{names} verbs: ["{lacking}"]}}'
    assert rule in error.hint
    asked = "configmaps" if lacking == "create" else "configmaps/docker"
    assert error.hint.endswith(f"-n ci auth can-i {lacking} {asked}")
    _allow(world, tmp_path, *RULES)
    target.write(TEXT, MARK, target.read())


def test_tells_policies_from_roles(world: World) -> None:
    """An admission policy's name and whole sentence are said, but for what it quotes of ours."""
    sentence = f"ask team-platform, {'x' * 400}, about registry.example.com"
    world.fake.deny = f'admission webhook "no.docker" denied the request: {sentence} {PASSWORD}'

    error = error_of_write(world.target())

    assert (type(error), error.reason) == (PermanentError, Reason.FORBIDDEN)
    assert f'(admission webhook "no.docker" denied the request: {sentence} ***)' in error.detail


def test_reports_a_slow_server(world: World) -> None:
    """A server that does not answer is a timeout."""
    target = world.target(access=Access(world.kubeconfig, read_seconds=0.1))
    world.fake.hang()

    with pytest.raises(TemporaryError) as caught:
        target.read()

    assert caught.value.reason is Reason.TIMEOUT
    assert world.fake.url in caught.value.detail


def test_reports_a_server_that_is_gone(world: World) -> None:
    """A refused connection says where to and why."""
    target = world.target()
    world.fake.stop()

    with pytest.raises(TemporaryError) as caught:
        target.read()

    assert caught.value.reason is Reason.UNREACHABLE
    assert world.fake.url in caught.value.detail
    assert "refused" in caught.value.detail


def test_reports_an_address_that_is_none(world: World, tmp_path: Path) -> None:
    """A server's address without its scheme is a person's to correct."""
    path = world.fake.kubeconfig(tmp_path / "odd", cluster={"server": f"127.0.0.1:{free_port()}"})

    with pytest.raises(PermanentError) as caught:
        world.target(access=Access(path)).read()

    assert caught.value.reason is Reason.MALFORMED
    assert "`server`" in caught.value.detail


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        (
            (
                '{"auths":{"r.example.com":{"auth":"dTpzM2NyM3QtcA==",'
                '"identitytoken":"s3cr3t-id"}},"HttpHeaders":{"X":["s3cr3t-header"]}}'
            ),
            {"dTpzM2NyM3QtcA==", "u:s3cr3t-p", "s3cr3t-p", "s3cr3t-id", "s3cr3t-header"},
        ),
        ("s3cr3t-password", {"s3cr3t-password"}),
        ('{"auths": s3cr3t-', {'{"auths": s3cr3t-'}),
    ],
)
def test_what_may_not_appear(text: str, secrets: set[str]) -> None:
    """Every value of a docker config, decoded too, and no registry; else the text as a whole."""
    found = set(secrets_in(Secret(text)))
    assert secrets <= found
    assert "r.example.com" not in found
