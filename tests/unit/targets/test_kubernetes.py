"""The Kubernetes targets over the fake API server: what is read, written and refused."""

from __future__ import annotations

import base64
import json

import pytest

from rotator.config.kubernetes_targets import (
    KubernetesConfigMapTargetSettings,
    KubernetesSecretTargetSettings,
)
from rotator.core.errors import ConflictError, GoneError, PermanentError, Reason
from rotator.core.model import Held, Secret
from rotator.kubernetes.objects import Version
from rotator.targets.kubernetes import build
from tests.fakes.kubernetes import Canned
from tests.fakes.kubernetes_rules import StatusError
from tests.fakes.kubernetes_world import LATER, MARK, PULL_SECRET, TEXT, World
from tests.support import NOW


@pytest.mark.parametrize("secret_type", [None, "Opaque", PULL_SECRET])
def test_creates_what_is_missing(world: World, secret_type: str | None) -> None:
    """A first write makes the object, labelled and marked, and its answer is what is there."""
    target = world.target(secret_type, labels={"team": "ci"}, annotations={"why": "pulls"})

    written = target.write(TEXT, MARK, target.read())

    plural = "secrets" if secret_type else "configmaps"
    found = world.look(plural)
    assert found["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "rotator", "team": "ci"}
    assert found["metadata"]["annotations"] == {
        "why": "pulls",
        "rotator/expires": '{"registry.example.com":"2026-11-23T22:00:00Z"}',
        "rotator/fingerprint": "hmac:0123456789ab",
        "rotator/rotation": "dind",
    }
    assert found.get("type") == secret_type
    version = Version(found["metadata"]["resourceVersion"])
    assert written == target.read() == Held(TEXT, MARK, version)


@pytest.mark.parametrize("exists", [False, True], ids=["missing", "there"])
def test_one_request_a_call(world: World, *, exists: bool) -> None:
    """A read is one GET, and a dry POST where there is an object; a write is one POST or PATCH."""
    if exists:
        world.put(data={"config.json": "{}"})
    target = world.target()

    target.write(TEXT, MARK, target.read())

    calls = [(call.verb, call.dry) for call in world.fake.calls]
    dry = [("create", True)] if exists else []
    assert calls == [("get", False), *dry, ("patch" if exists else "create", False)]


def test_keeps_what_is_not_its_own(world: World) -> None:
    """Other keys, labels, annotations and their managers stay byte for byte."""
    labels = {"helm.sh/chart": "runner-1", "app.kubernetes.io/managed-by": "Helm"}
    world.put(
        metadata={"labels": labels, "annotations": {"note": "two\nlines\u00a0"}},
        data={"other": " { not json\n", "config.json": "{}"},
        binaryData={"logo": base64.b64encode(bytes(range(256))).decode()},
    )
    applied = {"metadata": {"name": "docker"}, "data": {"applied": "by another"}}
    world.objects.apply("configmaps", "ci", "docker", applied, "argocd", force=False)
    before = world.look()
    target = world.target(labels={"team": "ci"})

    target.write(TEXT, MARK, target.read())

    after = world.look()
    assert after["data"].pop("config.json") == TEXT.reveal()
    assert after["metadata"]["labels"].pop("team") == "ci"
    marks = [name for name in after["metadata"]["annotations"] if name.startswith("rotator/")]
    for name in marks:
        del after["metadata"]["annotations"][name]
    before["data"].pop("config.json")
    managers = {one["manager"]: one["fieldsV1"] for one in after["metadata"]["managedFields"]}
    assert managers.keys() == {"kubectl", "argocd", "rotator"}
    assert managers["argocd"] == {"f:data": {"f:applied": {}}}
    assert managers["rotator"]["f:data"] == {"f:config.json": {}}
    for changing in ("resourceVersion", "managedFields"):
        del before["metadata"][changing], after["metadata"][changing]
    assert after == before


def test_reads_what_a_person_made(world: World) -> None:
    """Without a mark, with the newline that files end with, and with other keys only."""
    world.put(data={"config.json": '{"auths":{}}\n', "other": "x"})
    world.put("secrets", data={"other": "eA=="})

    held = world.target().read()
    bare = world.target("Opaque").read()

    assert held == Held(Secret('{"auths":{}}'), None, held.version)
    assert bare == Held(None, None, bare.version)
    assert bare.version is not None


@pytest.mark.parametrize("meanwhile", ["created", "changed", "deleted", "made again"])
def test_two_writers_lose_nothing(world: World, meanwhile: str) -> None:
    """A write since the read, of any kind, is a conflict: it is not undone, and no error."""
    target = world.target()
    held = target.read()
    if meanwhile != "created":
        held = target.write(TEXT, MARK, held)
    if meanwhile in {"deleted", "made again"}:
        world.objects.delete("configmaps", "ci", "docker")
    if meanwhile == "changed":
        assert target.write(LATER, MARK, held) == target.read()
    elif meanwhile != "deleted":
        world.put(data={"config.json": "theirs"})
    there = target.read()

    with pytest.raises(ConflictError):
        target.write(TEXT, MARK, held)

    assert target.read() == there
    if meanwhile in {"created", "made again"}:
        assert world.look()["data"] == {"config.json": "theirs"}


@pytest.mark.parametrize(
    ("settings", "plural", "key"),
    [
        (
            KubernetesConfigMapTargetSettings(namespace="ci", name="docker"),
            "configmaps",
            "config.json",
        ),
        (KubernetesSecretTargetSettings(namespace="ci", name="docker"), "secrets", "config.json"),
        (
            KubernetesSecretTargetSettings(
                namespace="ci", name="docker", secret_type="kubernetes.io/dockerconfigjson"
            ),
            "secrets",
            ".dockerconfigjson",
        ),
    ],
    ids=["configmap", "opaque", "pull secret"],
)
def test_is_built_from_settings(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    settings: KubernetesConfigMapTargetSettings | KubernetesSecretTargetSettings,
    plural: str,
    key: str,
) -> None:
    """The settings say which object; $KUBECONFIG says where, if nothing else does."""
    monkeypatch.setenv("KUBECONFIG", str(world.kubeconfig))
    target = build(settings, settings.policy(), lambda: NOW)

    target.write(TEXT, MARK, target.read())

    assert target.name == f"kubernetes_{plural[:-1]}:ci/docker"
    assert list(world.look(plural)["data"]) == [key]


def test_the_fake_applies_like_the_server(world: World) -> None:
    """Server-side apply: a conflict without force, and what is left out goes."""
    world.put(data={"config.json": "{}"})
    applied = {"metadata": {"name": "docker"}, "data": {"config.json": "{1}", "mine": "1"}}

    with pytest.raises(StatusError, match="conflict"):
        world.objects.apply("configmaps", "ci", "docker", applied, "me", force=False)
    world.objects.apply("configmaps", "ci", "docker", applied, "me", force=True)
    del applied["data"]["mine"]
    world.objects.apply("configmaps", "ci", "docker", applied, "me", force=True)

    assert world.look()["data"] == {"config.json": "{1}"}


@pytest.mark.parametrize("exists", [False, True], ids=["missing", "there"])
def test_a_dry_run_changes_nothing(world: World, *, exists: bool) -> None:
    """It raises what the write would raise, and nothing where the write would do."""
    if exists:
        world.put(data={"config.json": "{}"})
    target = world.target()
    held = target.read()
    target.probe_write(TEXT, MARK, held)
    assert target.read() == held
    world.fake.deny = 'admission webhook "no.docker" denied the request: ask platform'
    with pytest.raises(PermanentError, match="ask platform"):
        target.probe_write(TEXT, MARK, held)


def test_a_dry_run_that_a_webhook_does_not_allow(world: World) -> None:
    """Nothing is known then, which is no failure."""
    message = 'admission webhook "a.b" does not support dry run'
    status = {"kind": "Status", "code": 400, "reason": "BadRequest", "message": message}
    target = world.target()
    held = target.read()
    world.fake.canned.append(Canned(400, json.dumps(status)))
    target.probe_write(TEXT, MARK, held)


def test_a_text_that_the_server_changes(world: World) -> None:
    """The answer of a write is what is there, so a dry run shows it."""
    target = world.target()
    held = target.read()
    changed = {"metadata": {"resourceVersion": "1"}, "data": {"config.json": "changed"}}
    world.fake.canned.append(Canned(201, json.dumps(changed)))
    with pytest.raises(PermanentError, match=r"would change config\.json"):
        target.probe_write(TEXT, MARK, held)
    world.fake.canned.append(Canned(201, json.dumps(changed)))
    assert target.write(TEXT, MARK, held).text == Secret("changed")


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"metadata": {}},
        {"metadata": {"resourceVersion": "1"}, "data": ["config.json"]},
        {"metadata": {"resourceVersion": "1"}, "data": {"config.json": 5}},
    ],
)
def test_an_answer_that_is_no_object(world: World, answer: object) -> None:
    """Something else than an API server gives it."""
    world.fake.canned.append(Canned(200, json.dumps(answer)))
    with pytest.raises(PermanentError, match="its answer is no configmap") as caught:
        world.target().read()
    assert caught.value.reason is Reason.MALFORMED


def test_an_account_that_is_no_object(world: World) -> None:
    """Its list is not replaced by ours."""
    target = world.target(PULL_SECRET, service_accounts=["puller"])
    target.complete(Held(None))  # without a Secret there is nothing to name
    held = world.target(PULL_SECRET).write(TEXT, MARK, Held(None))
    world.fake.canned.append(Canned(200, json.dumps({"imagePullSecrets": "docker"})))
    with pytest.raises(PermanentError, match="its answer is no serviceaccount"):
        target.complete(held)


def test_service_accounts_name_the_secret(world: World) -> None:
    """It is added at the end, once, and again where somebody took it out."""
    names = [{"name": "zulu"}, {"name": "alpha"}]
    body = {"metadata": {"name": "puller"}, "imagePullSecrets": names}
    world.objects.create("serviceaccounts", "ci", body, "me")
    target = world.target(PULL_SECRET, service_accounts=["puller"])
    held = target.write(TEXT, MARK, target.read())
    there = world.objects.get("serviceaccounts", "ci", "puller")
    assert there["imagePullSecrets"] == [*names, {"name": "docker"}]
    target.complete(held)
    assert world.objects.get("serviceaccounts", "ci", "puller") == there
    world.objects.patch("serviceaccounts", "ci", "puller", {"imagePullSecrets": names}, "me")
    target.complete(held)
    again = world.objects.get("serviceaccounts", "ci", "puller")
    assert again["imagePullSecrets"] == there["imagePullSecrets"]


def test_a_service_account_that_is_missing(world: World) -> None:
    """The Secret is published; what to make is said."""
    target = world.target(PULL_SECRET, service_accounts=["puller"])
    with pytest.raises(PermanentError) as caught:
        target.write(TEXT, MARK, target.read())
    assert caught.value.reason is Reason.NOT_FOUND
    assert "create serviceaccount puller" in caught.value.hint
    assert target.read().text == TEXT


def test_what_is_being_deleted_is_gone(world: World) -> None:
    """Jobs lose it, and it takes no write before it is gone."""
    world.put(
        data={"config.json": "{}"},
        metadata={"deletionTimestamp": "2026-11-23T10:00:00Z", "finalizers": ["a.b/hold"]},
    )
    with pytest.raises(GoneError, match=r"a\.b/hold") as caught:
        world.target().read()
    assert caught.value.reason is Reason.DELETED


@pytest.mark.parametrize("kind", [None, "Opaque"])
def test_a_broken_text_is_stored_beside(world: World, kind: str | None) -> None:
    """Under `KEY.broken`, in one write that is compared; what was there stays as `KEY.broken.1`."""
    target = world.target(kind)
    held = target.write(Secret('{"auths": s3cr3t-'), MARK, target.read())
    aside = target.set_aside(held)
    target.write(TEXT, MARK, aside)
    plural = "secrets" if kind else "configmaps"
    data = world.look(plural)["data"]
    broken = data["config.json.broken"]
    assert (base64.b64decode(broken).decode() if kind else broken) == '{"auths": s3cr3t-'
    assert target.read().text == TEXT
    with pytest.raises(ConflictError):
        target.set_aside(held)
    for typo in ("the second", "the second", "the third"):
        target.set_aside(target.write(Secret(typo), MARK, target.read()))
    data = world.look(plural)["data"]
    broken, earlier = data["config.json.broken"], data["config.json.broken.1"]
    if kind:
        broken, earlier = (base64.b64decode(one).decode() for one in (broken, earlier))
    assert (broken, earlier) == ("the third", "the second")


def test_who_else_writes_the_key(world: World) -> None:
    """By the fields' owners: nobody else after our own write, else who has it or took it out."""
    target = world.target()
    held = target.write(TEXT, MARK, target.read())
    assert target.other_manager(held) is None
    world.objects.patch("configmaps", "ci", "docker", {"data": {"config.json": "{}"}}, "argocd")
    assert target.other_manager(target.read()) == "argocd"
    assert target.other_manager(Held(None)) is None
