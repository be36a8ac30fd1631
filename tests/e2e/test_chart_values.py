"""The Helm chart: which rights values need, and what is said of wrong ones."""

from __future__ import annotations

import pytest

from tests.e2e.charts import CHART, Body, files, helm, only, render, values


def rights(bodies: list[Body]) -> dict[str, set[tuple[str, str, str]]]:
    """Return what each Role, by its namespace, or ClusterRole allows: verb, resource, name."""
    return {
        body["metadata"].get("namespace", "*"): {
            (verb, resource, name)
            for rule in body["rules"]
            for verb in rule["verbs"]
            for resource in rule["resources"]
            for name in rule.get("resourceNames", ["*"])
        }
        for body in bodies
        if body["kind"] in {"Role", "ClusterRole"}
    }


def with_targets(*targets: Body) -> Body:
    """Return values with these targets."""
    given = values("ecr")
    given["config"]["rotations"][0]["targets"] = list(targets)
    return given


SECRET = {"type": "kubernetes_secret", "namespace": "a", "name": "one"}

FILE = {"type": "gitlab_variable", "url": "https://gitlab.example.com", "group": "g"}


def test_the_role_is_the_least_for_the_targets() -> None:
    """One Role a namespace, with the objects that targets name there, and no more."""
    given = with_targets(
        SECRET,
        {**SECRET, "name": "two", "service_accounts": ["default"]},
        {"type": "kubernetes_configmap", "namespaces": ["a", "b"], "name": "three"},
        FILE,
    )
    named = {("get", "configmaps", "three"), ("patch", "configmaps", "three")}
    create = ("create", "configmaps", "*")
    assert rights(render(given)) == {
        "a": {
            *(("get", "secrets", name) for name in ("one", "two")),
            *(("patch", "secrets", name) for name in ("one", "two")),
            ("create", "secrets", "*"),
            ("get", "serviceaccounts", "default"),
            ("patch", "serviceaccounts", "default"),
            *named,
            create,
        },
        "b": {*named, create},
    }
    without = render({**given, "rbac": {"createObjects": False}})
    assert not [right for found in rights(without).values() for right in found
                if right[0] == "create"]  # fmt: skip
    assert rights(render({**given, "rbac": {"create": False}})) == {}
    assert rights(render(with_targets(FILE))) == {}


@pytest.mark.parametrize(
    "where",
    [{"namespaces": ["team-*"]}, {"namespace_selector": {"ci": "yes"}}],
    ids=["a pattern", "labels"],
)
def test_unknown_namespaces_take_a_cluster_role(where: Body) -> None:
    """Where nobody knows the namespaces before, the objects' names still bound what it may."""
    bodies = render(with_targets({"type": "kubernetes_secret", "name": "one", **where}))
    assert rights(bodies) == {
        "*": {
            ("list", "namespaces", "*"),
            ("get", "secrets", "one"),
            ("patch", "secrets", "one"),
            ("create", "secrets", "*"),
        }
    }
    binding = only(bodies, "ClusterRoleBinding")
    assert binding["roleRef"]["name"] == only(bodies, "ClusterRole")["metadata"]["name"]


NUMBER = with_targets(SECRET)
NUMBER["config"]["rotations"][0]["sources"][0]["accounts"] = [123456789012]

WRONG = {
    "no rotation": {"config": {"rotations": []}},
    "no configuration": {},
    "an account as a number": NUMBER,
    "a key that is not there": values("ecr", replicas=2),
    "a key within": values("ecr", image={"name": "rotator"}),
    "a mode": values("ecr", mode="daemon"),
    "no namespace": with_targets({"type": "kubernetes_secret", "name": "one"}),
    "two kinds of namespaces": with_targets({**SECRET, "namespaces": ["b"]}),
}


@pytest.mark.parametrize("given", WRONG.values(), ids=WRONG)
def test_wrong_values_are_refused(given: Body) -> None:
    """`helm install` says what is wrong, before anything is applied."""
    with pytest.raises(helm().HelmError):
        render(given)


def test_lint() -> None:
    """Helm has nothing to say against it."""
    found = helm().lint(str(CHART), values=values("ecr"))
    assert [one for one in found["messages"] if "icon" not in one["error"]] == []


@pytest.mark.parametrize("example", ["ecr", "cronjob", "sidecar"])
def test_notes_name_three_commands(example: str) -> None:
    """After the installation: what to type next, for what was installed."""
    text = files(values(example), "ci", "tools")["registry-rotator/templates/NOTES.txt"]
    commands = [line.strip() for line in text.splitlines() if line.startswith("  ")]
    assert len(commands) == 3
    assert all("tools" in command for command in commands if command.startswith("kubectl"))


def test_a_name_of_its_own() -> None:
    """Two releases in one namespace share nothing."""
    first, second = (
        {f"{body['kind']}/{body['metadata']['name']}" for body in render(values("ecr"), name)}
        for name in ("first", "second")
    )
    assert not first & second
