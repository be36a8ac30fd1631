"""A real API server: a Secret in many namespaces, and the names that it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rotator.config.kubernetes_targets import KubernetesSecretTargetSettings
from rotator.config.reading import Reading
from rotator.core.errors import PermanentError, Reason
from rotator.core.failure import Failure
from rotator.core.model import Policy, Secret
from rotator.kubernetes.place import rules
from rotator.targets.kubernetes import build
from tests.fakes.kubernetes_world import MARK, PULL_SECRET, TEXT
from tests.integration.cluster import Cluster, only
from tests.support import NOW, made

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def test_a_namespace_that_is_being_deleted(cluster: Cluster) -> None:
    """Its objects stay until its last pod has ended; the least Role is enough to see it."""
    dying = cluster.make_namespace("dying")
    allowed = rules("configmaps", "docker")
    target = cluster.target(namespace=dying, access=cluster.account(*allowed, everywhere=True))
    powerless = cluster.account(*only("get"), everywhere=True)
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
