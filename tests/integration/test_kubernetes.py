"""The Kubernetes targets on a real API server: namespaces, pull secrets, dry runs, managers."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from rotator.config.kubernetes_targets import KubernetesSecretTargetSettings
from rotator.config.reading import Reading
from rotator.core.errors import DriverError, GoneError, PermanentError, Reason
from rotator.core.failure import Failure
from rotator.core.model import Policy, Secret
from rotator.kubernetes.place import rules
from rotator.targets.kubernetes import build
from tests.fakes.certificates import Pki
from tests.fakes.kubernetes_world import MARK, PULL_SECRET, TEXT, error_of_write
from tests.integration.cluster import Cluster
from tests.support import NOW, made, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rotator.core.ports import Target
    from tests.servers.kube_apiserver import KubeApiserver


@pytest.fixture(scope="module")
def cluster_of_all(
    kube_apiserver: KubeApiserver, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """Give the tests that change nothing a namespace of their own."""
    here = Cluster(kube_apiserver, tmp_path_factory.mktemp("cluster"))
    yield here
    here.close()


def group(cluster: Cluster, **where: Any) -> Target:
    """Return a target for a Secret in many namespaces, as the configuration makes it."""
    settings = made(KubernetesSecretTargetSettings, name="docker", **where)
    return build(settings, Policy(), lambda: NOW, cluster.access)


def test_a_pattern_stands_for_many_namespaces(cluster: Cluster) -> None:
    """Those that come later are members at the next look, those that go are none."""
    first, second = cluster.make_namespace("team-a"), cluster.make_namespace("team-b")
    other = cluster.make_namespace("other")
    target = group(cluster, namespaces=[f"team-*-{cluster.unique}", other, "gone"])
    assert [one.name for one in target.members()] == [
        f"kubernetes_secret:{name}/docker" for name in sorted([first, second, other, "gone"])
    ]
    later = cluster.make_namespace("team-c")
    cluster.server.terminate_namespace(second)
    names = [one.name for one in target.members()]
    assert f"kubernetes_secret:{later}/docker" in names
    assert f"kubernetes_secret:{second}/docker" not in names
    for member in target.members():
        if "gone" in member.name:
            continue
        member.write(TEXT, MARK, member.read())
        assert member.read().text == TEXT


def test_labels_stand_for_many_namespaces(cluster: Cluster) -> None:
    """All of them have to fit."""
    one = cluster.make_namespace("one", ci="yes", tier="a")
    cluster.make_namespace("two", ci="yes")
    target = group(cluster, namespace_selector={"ci": "yes", "tier": "a", "test": cluster.unique})
    assert [member.name for member in target.members()] == [f"kubernetes_secret:{one}/docker"]


def test_more_namespaces_than_one_page(cluster: Cluster) -> None:
    """The server gives them in pages; none is lost between two."""
    wanted = {cluster.make_namespace(f"many-{n:03}", many="yes") for n in range(260)}
    target = group(cluster, namespace_selector={"many": "yes", "test": cluster.unique})
    found = {member.name.partition(":")[2].partition("/")[0] for member in target.members()}
    assert found == wanted


def test_the_rendered_role_is_enough_for_many_namespaces(cluster: Cluster) -> None:
    """And without any of its verbs something fails, with the rule to add."""
    cluster.put("serviceaccounts", "puller")
    needed = rules("secrets", "docker", ["puller"], lists=True)

    def live(access: Any) -> None:
        settings = made(
            KubernetesSecretTargetSettings,
            name="docker",
            secret_type=PULL_SECRET,
            namespaces=[f"main-{cluster.unique[:-1]}*"],
            service_accounts=["puller"],
        )
        (member,) = build(settings, Policy(), lambda: NOW, access).members()
        held = member.write(TEXT, MARK, member.read())
        member.write(Secret("{}"), MARK, held)

    live(cluster.account(*needed, everywhere=True))
    for number, rule in enumerate(needed):
        for verb in rule["verbs"]:
            for plural, name in (("secrets", "docker"), ("serviceaccounts", "puller")):
                cluster.server.answer("DELETE", cluster.path(plural, name))
            cluster.put("serviceaccounts", "puller")
            less = [one for place, one in enumerate(needed) if place != number]
            rest = [one for one in rule["verbs"] if one != verb]
            access = cluster.account(
                *less, *([{**rule, "verbs": rest}] if rest else []), everywhere=True
            )
            with pytest.raises(PermanentError, match=f"lacks the verb {verb} on") as caught:
                live(access)
            assert f'verbs: ["{verb}"]' in caught.value.hint


def test_service_accounts_pull_with_the_secret(cluster: Cluster) -> None:
    """The name is added to what is there, in its order; an account that has it stays as it is."""
    before = [{"name": "zulu"}, {"name": "alpha"}]
    cluster.put("serviceaccounts", "puller", imagePullSecrets=before)
    cluster.put("serviceaccounts", "has-it", imagePullSecrets=[{"name": "docker"}, *before])
    same = cluster.look("serviceaccounts", "has-it")
    target = cluster.target(
        "secret", secret_type=PULL_SECRET, service_accounts=["puller", "has-it"]
    )
    held = target.write(TEXT, MARK, target.read())

    assert cluster.look("serviceaccounts", "puller")["imagePullSecrets"] == [
        *before,
        {"name": "docker"},
    ]
    assert cluster.look("serviceaccounts", "has-it") == same
    cluster.server.api(
        "PATCH",
        cluster.path("serviceaccounts", "puller"),
        {"imagePullSecrets": before},
        kind="application/merge-patch+json",
    )
    target.complete(held)
    assert {"name": "docker"} in cluster.look("serviceaccounts", "puller")["imagePullSecrets"]


def test_a_service_account_that_is_missing_is_named(cluster: Cluster) -> None:
    """The Secret is published all the same."""
    target = cluster.target("secret", secret_type=PULL_SECRET, service_accounts=["nobody"])
    error = error_of_write(target)
    assert (type(error), error.reason) == (PermanentError, Reason.NOT_FOUND)
    assert "serviceaccount" in error.detail
    assert "create serviceaccount nobody" in error.hint
    assert target.read().text == TEXT


def test_acts_as_whom_the_kubeconfig_says(cluster: Cluster) -> None:
    """Not as the administrator behind it; and who may not impersonate gets to know it."""
    cluster.put("serviceaccounts", "weak")
    weak = f"system:serviceaccount:{cluster.namespace}:weak"
    access = cluster.account(*rules("configmaps", "docker"))
    token = cluster.server.token(cluster.namespace, "weak")
    for user, said in (
        ({"token": "s3cr3t-cluster-admin", "as": weak}, f"{weak} lacks the verb get"),
        ({"token": token, "as": "bob"}, "may not impersonate anybody"),
        (
            {
                "token": "s3cr3t-cluster-admin",
                "as": "nobody",
                "as-uid": "1",
                "as-groups": ["x", "system:masters"],
                "as-user-extra": {"example.com/a": ["b"]},
            },
            "",
        ),
    ):
        path = cluster.server.kubeconfig_for(cluster.place / "as.kubeconfig", user=user)
        target = cluster.target(access=type(access)(path))
        if said:
            with pytest.raises(PermanentError, match=said):
                target.read()
        else:
            target.read()


def test_shows_a_client_certificate(cluster: Cluster) -> None:
    """The server knows the account by it."""
    certificate, key = cluster.server.pki.issue("person")
    files = {"client-certificate": str(certificate), "client-key": str(key)}
    path = cluster.server.kubeconfig_for(cluster.place / "person.kubeconfig", user=files)
    with pytest.raises(PermanentError, match="person lacks the verb get"):
        cluster.target(access=type(cluster.access)(path)).read()


def test_what_a_policy_changes_is_what_a_write_returns(cluster: Cluster) -> None:
    """So that it can be compared with what was sent; a dry run says so before."""
    patch = 'Object{data: {"config.json": "changed"}}'
    cluster.policy(
        "Mutating",
        reinvocationPolicy="Never",
        failurePolicy="Fail",
        mutations=[
            {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": patch}}
        ],
    )
    target = cluster.target()
    found: list[DriverError] = []

    def refused() -> bool:
        with suppress(AssertionError):
            try:
                target.probe_write(TEXT, MARK, target.read())
            except PermanentError as error:
                found.append(error)
        return bool(found)

    until(refused, 30, "the policy to hold")
    assert found[0].reason is Reason.INVALID
    assert "would change config.json" in found[0].detail
    assert target.write(TEXT, MARK, target.read()).text == Secret("changed")


def test_a_dry_run_finds_what_a_write_would_meet(cluster: Cluster) -> None:
    """A namespace or a verb that is missing; nothing is written."""
    for said, target in (
        ("does not exist", cluster.target(namespace="none")),
        ("lacks the verb create", cluster.target(access=cluster.account(*_only("get", "patch")))),
    ):
        with pytest.raises(PermanentError, match=said):
            target.probe_write(TEXT, MARK, target.read())


def test_a_namespace_that_is_being_deleted(cluster: Cluster) -> None:
    """Its objects stay until its last pod has ended; the least Role is enough to see it."""
    dying = cluster.make_namespace("dying")
    allowed = rules("configmaps", "docker")
    target = cluster.target(namespace=dying, access=cluster.account(*allowed, everywhere=True))
    powerless = cluster.account(*_only("get"), everywhere=True)
    target.write(TEXT, MARK, target.read())
    held = target.read()
    assert held.text == TEXT
    cluster.server.terminate_namespace(dying)
    with pytest.raises(PermanentError, match=f"the namespace {dying} is being deleted") as caught:
        target.read()
    assert caught.value.reason is Reason.NOT_FOUND
    assert caught.value.hint.startswith("wait until it is gone, then")
    assert not Failure.of(caught.value).leaves_document
    assert cluster.target(namespace=dying, access=powerless).read() == held
    assert cluster.target(namespace=dying, listed=True).read() == held
    path = f"/api/v1/namespaces/{dying}/configmaps/docker"
    assert cluster.server.api("GET", path)["metadata"]["resourceVersion"] == held.version.resource


def _only(*verbs: str) -> list[dict[str, Any]]:
    return [{"apiGroups": [""], "resources": ["configmaps"], "verbs": list(verbs)}]


def test_a_dry_run_changes_nothing(cluster: Cluster) -> None:
    """Neither a missing object nor one that is there, whose quota is full."""
    target = cluster.target()
    target.probe_write(TEXT, MARK, target.read())
    assert target.read().version is None
    held = target.write(TEXT, MARK, target.read())
    cluster.quota("count/configmaps")
    target.probe_write(Secret("{}"), MARK, held)
    assert target.read() == held


def test_a_webhook_that_allows_no_dry_run_is_no_failure(cluster: Cluster) -> None:
    """It can't be asked, so nothing is said of it; the write itself meets it."""
    cluster.webhook("https://127.0.0.1:1/x", sideEffects="NoneOnDryRun")
    target = cluster.target()
    cluster.until_refused(target, "can't reach its admission webhook")


def test_an_object_that_is_being_deleted_is_gone(cluster: Cluster) -> None:
    """Its finalizers hold it back; jobs lose it, and it is not written again before it is gone."""
    cluster.put(metadata={"finalizers": ["example.com/hold"]}, data={"config.json": "{}"})
    cluster.server.answer("DELETE", cluster.path("configmaps", "docker"))
    with pytest.raises(GoneError) as caught:
        cluster.target().read()
    assert caught.value.reason is Reason.DELETED
    assert "example.com/hold" in caught.value.detail
    cluster.server.api(
        "PATCH",
        cluster.path("configmaps", "docker"),
        {"metadata": {"finalizers": None}},
        kind="application/merge-patch+json",
    )
    target = cluster.target()
    assert target.write(TEXT, MARK, target.read()).text == TEXT


@pytest.mark.parametrize(
    ("manager", "advice"),
    [
        ("argocd-controller", "ignoreDifferences"),
        ("kustomize-controller", "kustomize.toolkit.fluxcd.io/ssa: IfNotPresent"),
        ("helm", "helm.sh/resource-policy=keep"),
        ("somebody", "--show-managed-fields"),
    ],
)
def test_another_manager_is_named(cluster: Cluster, manager: str, advice: str) -> None:
    """Who wrote or took out the key after us, by its own name, and what makes it stop."""
    target = cluster.target()
    held = target.write(TEXT, MARK, target.read())
    assert target.other_manager(held) is None
    theirs: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "docker", "namespace": cluster.namespace},
        "data": {"config.json": "{}"},
    }
    cluster.server.apply(theirs, manager=manager)
    held = target.read()
    assert target.other_manager(held) == manager
    assert advice in target.manager_advice(manager)
    assert target.other_manager(target.write(TEXT, MARK, held)) is None
    theirs["data"] = {"config.json": TEXT.reveal()}
    cluster.server.apply(theirs, manager=manager)
    assert target.other_manager(target.read()) is None, "who wants what we wrote is no other"


def test_a_manager_that_takes_the_key_out_is_named(cluster: Cluster) -> None:
    """Nobody has the key then, so it is who wrote last."""
    target = cluster.target()
    target.write(TEXT, MARK, target.read())
    cluster.server.api(
        "PATCH",
        cluster.path("configmaps", "docker"),
        {"data": {"config.json": None, "other": "x"}},
        kind="application/merge-patch+json",
        manager="argocd-controller",
    )
    held = target.read()
    assert held.text is None
    assert target.other_manager(held) == "argocd-controller"


@pytest.mark.parametrize("kind", ["configmap", "secret"])
def test_an_undecodable_text_is_set_aside(cluster: Cluster, kind: str) -> None:
    """Under a key of its own; a write that builds on the answer replaces the text itself."""
    target = cluster.target(kind)
    broken = Secret('{"auths": s3cr3t-')
    held = target.write(broken, MARK, target.read())
    aside = target.set_aside(held)
    assert (aside.text, aside.version) != (None, held.version)
    target.write(TEXT, MARK, aside)
    assert target.read().text == TEXT
    data = cluster.look(f"{kind}s")["data"]
    assert set(data) == {"config.json", "config.json.broken"}
    with pytest.raises(DriverError):
        target.set_aside(held)


def test_trusts_no_other_authority(cluster: Cluster, tmp_path: Path) -> None:
    """And says which setting is wrong."""
    (tmp_path / "other").mkdir()
    other = {"certificate-authority": str(Pki(tmp_path / "other").ca)}
    path = cluster.server.kubeconfig_for(tmp_path / "other.kubeconfig", cluster=other)
    with pytest.raises(PermanentError, match="no TLS connection") as caught:
        cluster.target(access=type(cluster.access)(path)).read()
    assert "`certificate-authority`" in caught.value.hint


LONG = "x" * 63
SUBDOMAINS = ["a", "A", "a..b", "a.b", "a.", ".a", "-a", "a-", "a_b", "0", "a/b", "a b"]
PARTS = ["a", "A.b_c-d", "-a", "a-", "a b", LONG, f"{LONG}x"]
PREFIXED = ["a/b", "a.b/c", "A/b", "a/b/c", "/a", "a/", f"{'x' * 253}/a", f"{'x' * 254}/a"]
KEYS = [".", "..", "...", "..a", ".a", "a..b", "a.", "-", "_", "a/b", "a b", "\u00e4", "A"]
WRITTEN: dict[str, list[Any]] = {
    "key": [*KEYS, "x" * 253, "x" * 254],
    "name": [*SUBDOMAINS, "x" * 253, "x" * 254, f"{LONG}x.a"],
    "labels": [
        *({one: "x"} for one in (*PARTS, *PREFIXED)),
        *({"a": one} for one in (*PARTS, "", "a/b")),
    ],
    "annotations": [{one: "x"} for one in (*PARTS, *PREFIXED)],
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in WRITTEN.items() for value in values]
)
def test_the_configuration_takes_what_the_server_takes(
    cluster_of_all: Cluster, field: str, value: Any
) -> None:
    """No name is refused by the one and not by the other, but capitals before an annotation's /."""
    keys = {"name": "docker", "namespace": cluster_of_all.namespace, field: value}
    reading = Reading()
    reading.read(KubernetesSecretTargetSettings, keys)
    metadata = {"name": "docker", **({field: value} if field in ("name", "labels") else {})}
    if field == "annotations":
        metadata[field] = value
    body = {"metadata": metadata, "data": {value if field == "key" else "config.json": "e30="}}
    answer = cluster_of_all.server.answer(
        "POST", f"{cluster_of_all.path('secrets')}?dryRun=All", body
    )
    assert answer.status_code in (201, 422)
    if field != "annotations" or value != {"A/b": "x"}:
        assert (not reading.problems) == (answer.status_code == 201), answer.text


@pytest.mark.parametrize(
    "name", ["a", "team-*", "*", "a-", "-a", "a.b", "A", "a_b", LONG, f"{LONG}x"]
)
def test_the_configuration_takes_names_that_namespaces_can_have(
    cluster_of_all: Cluster, name: str
) -> None:
    """A pattern has a star in place of some of its letters."""
    reading = Reading()
    reading.read(KubernetesSecretTargetSettings, {"name": "docker", "namespaces": [name]})
    body = {"metadata": {"name": name.replace("*", "a")}}
    answer = cluster_of_all.server.answer("POST", "/api/v1/namespaces?dryRun=All", body)
    assert answer.status_code in (201, 422)
    assert (not reading.problems) == (answer.status_code == 201), answer.text
