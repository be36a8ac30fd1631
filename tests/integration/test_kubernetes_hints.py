"""What is said of a real API server's refusals, and whether what people are to type works."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from rotator.core.errors import ConflictError, DriverError, PermanentError, Reason, TemporaryError
from rotator.core.model import Secret
from rotator.kubernetes.access import Access
from rotator.kubernetes.place import rules
from tests.fakes.kubernetes_world import MARK, PASSWORD, PULL_SECRET, TEXT, error_of_write
from tests.servers.kubectl import kubectl
from tests.support import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.cluster import Cluster


def typed(line: str) -> subprocess.CompletedProcess[str]:
    """Run a line in a shell, as a person does."""
    path = f"{Path(kubectl()).parent}:{os.environ['PATH']}"
    env = {"PATH": path, "HOME": "/nonexistent"}
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], env=env, capture_output=True, text=True, check=False
    )


def line_of(error: DriverError) -> str:
    """Return what a hint says to type: from the first `kubectl` on. Each names the cluster."""
    lines = re.findall(r"kubectl [^|;]*", error.hint)
    assert lines
    assert all(line.startswith("kubectl --kubeconfig ") for line in lines), lines
    return error.hint[error.hint.index("kubectl ") :]


def test_an_immutable_object_is_replaced_with_all_that_is_in_it(cluster: Cluster) -> None:
    """Other keys, other registries, labels and the type stay; then it can be written."""
    theirs = '{"auths":{"other.example.com":{"auth":"czNjcjN0LXU6czNjcjN0LXA="}}}'
    cluster.put(
        metadata={"labels": {"team": "x"}, "annotations": {"note": "immutable: true"}},
        data={"config.json": theirs, "other": "immutable: true\nmore\n"},
        immutable=True,
    )
    before = cluster.look()
    target = cluster.target()
    error = error_of_write(target)
    assert error.reason is Reason.IMMUTABLE

    done = typed(line_of(error))

    assert done.returncode == 0, done.stderr
    after = cluster.look()
    assert after["data"] == before["data"]
    assert after["metadata"]["labels"] == {"team": "x"}
    assert "immutable" not in after
    target.write(TEXT, MARK, target.read())


def test_another_type_is_said_with_the_milder_cure(cluster: Cluster) -> None:
    """Nothing is deleted: the target can take the type that is there."""
    cluster.put("secrets", type="Opaque", data={".dockerconfigjson": "e30=", "other": "eA=="})
    target = cluster.target("secret", secret_type=PULL_SECRET)
    error = error_of_write(target)
    assert (error.reason, type(error)) == (Reason.IMMUTABLE, PermanentError)
    assert "`secret_type`" in error.hint
    assert "delete" not in error.hint
    assert typed(line_of(error)).returncode == 0


def test_what_shows_an_object_works_for_its_account(cluster: Cluster) -> None:
    """With the rights of the Role alone, and without a secret in what it prints."""
    target = cluster.target("secret")
    target.write(TEXT, MARK, target.read())
    access = cluster.account(*rules("secrets", "docker"))
    done = typed(cluster.target("secret", access=access).place.show())
    assert done.returncode == 0, done.stderr
    assert "config.json:" in done.stdout
    assert "s3cr3t" not in done.stdout


@pytest.mark.parametrize("verb", ["get", "create", "patch"])
def test_a_missing_verb_comes_with_the_rule_to_add(cluster: Cluster, verb: str) -> None:
    """The line to type works for the account itself, which may not act as anybody."""
    if verb == "patch":
        cluster.put(data={"config.json": "{}"})
    needed = rules("configmaps", "docker")
    less = [{**one, "verbs": [v for v in one["verbs"] if v != verb]} for one in needed]
    access = cluster.account(*[one for one in less if one["verbs"]])
    error = error_of_write(cluster.target(access=access))
    assert error.reason is Reason.FORBIDDEN
    assert f"lacks the verb {verb} on configmaps" in error.detail
    assert typed(line_of(error)).stdout.strip() == "no"
    whole = cluster.account(*needed)
    line = line_of(error).replace(str(access.kubeconfig), str(whole.kubeconfig))
    assert typed(line).stdout.strip() == "yes"


def test_without_a_login_no_role_is_the_answer(cluster: Cluster) -> None:
    """Nobody gets rights for system:anonymous."""
    path = cluster.server.kubeconfig_for(cluster.place / "nobody", user={"extensions": []})
    error = error_of_read(cluster, Access(path))
    assert error.reason is Reason.LOGIN_REJECTED
    assert "no login was sent" in error.detail
    assert "Role" not in error.hint
    assert typed(line_of(error)).returncode == 0


def test_a_token_that_is_not_accepted(cluster: Cluster) -> None:
    """It is the login's fault, and the token is not in it."""
    path = cluster.server.kubeconfig_for(cluster.place / "old", "s3cr3t-old-token")
    error = error_of_read(cluster, Access(path))
    assert error.reason is Reason.LOGIN_REJECTED
    assert "does not accept" in error.detail
    assert "s3cr3t" not in f"{error.detail} {error.hint}"


def test_plain_http_to_a_port_with_tls(cluster: Cluster) -> None:
    """And the other way round: what the kubeconfig says is wrong is named."""
    plain = {"server": cluster.server.url.replace("https", "http"), "certificate-authority": ""}
    path = cluster.server.kubeconfig_for(cluster.place / "plain", cluster=plain)
    error = error_of_read(cluster, Access(path))
    assert error.reason is Reason.INVALID
    assert "speaks TLS" in error.detail
    assert "write https:// in the kubeconfig's `server`" in error.hint


def error_of_read(cluster: Cluster, access: Access) -> DriverError:
    """Return what a read fails with."""
    with pytest.raises(PermanentError) as caught:
        cluster.target(access=access).read()
    return caught.value


def test_a_quota_is_named(cluster: Cluster) -> None:
    """With the line that shows it."""
    cluster.quota("count/configmaps")
    error = error_of_write(cluster.target())
    assert error.reason is Reason.FORBIDDEN
    assert "the quota few is used up" in error.detail
    assert "count/configmaps" in typed(line_of(error)).stdout


@pytest.mark.parametrize("reason", ["Forbidden", "Invalid", "RequestEntityTooLarge"])
def test_a_policy_s_whole_message_is_reported(cluster: Cluster, reason: str) -> None:
    """Whatever status it chooses: its 413 is no size limit."""
    message = f"docker configs belong to team platform {'x' * 500}: "
    one = {"expression": "false", "messageExpression": f"'{message}' + object.data['config.json']"}
    cluster.policy("Validating", failurePolicy="Fail", validations=[{**one, "reason": reason}])
    target = cluster.target()
    error = cluster.until_refused(target, "an admission policy forbids it")
    assert (error.reason, type(error)) == (Reason.FORBIDDEN, PermanentError)
    assert message.strip() in error.detail
    assert "ValidatingAdmissionPolicy 'policy-" in error.detail
    assert PASSWORD not in error.detail, "it quotes what we sent"
    assert typed(line_of(error)).returncode == 0


def test_a_webhook_that_is_down_is_named(cluster: Cluster) -> None:
    """It may come back, so waiting helps."""
    name = cluster.webhook("https://127.0.0.1:1/x")
    error = cluster.until_refused(cluster.target(), "can't reach its admission webhook")
    assert (error.reason, isinstance(error, TemporaryError)) == (Reason.UNAVAILABLE, True)
    assert name in error.detail
    assert typed(line_of(error)).returncode == 0


def test_annotations_have_a_limit_of_their_own(cluster: Cluster) -> None:
    """256 KiB for all of them; that of values is another one, and both are named."""
    cluster.put(data={"config.json": "{}"}, metadata={"annotations": {"a": "x" * 262_120}})
    error = error_of_write(cluster.target())
    assert (error.reason, "262144" in error.detail) == (Reason.TOO_LARGE, True)
    cluster.put("secrets", data={"big": "eHh4" * 349_520})
    error = error_of_write(cluster.target("secret"))
    assert (error.reason, "1048576" in error.detail) == (Reason.TOO_LARGE, True)


def test_a_namespace_that_goes_is_waited_for(cluster: Cluster) -> None:
    """Making it has no effect before it is gone; one that there is not is made at once."""
    dying = cluster.make_namespace("dying")
    cluster.server.terminate_namespace(dying)
    error = error_of_write(cluster.target(namespace=dying))
    assert error.reason is Reason.NOT_FOUND
    assert error.hint.startswith("wait until it is gone, then: (as an account that may) kubectl")
    missing = f"new-{cluster.unique}"
    error = error_of_write(cluster.target(namespace=missing))
    assert typed(line_of(error)).returncode == 0
    target = cluster.target(namespace=missing)
    target.write(TEXT, MARK, target.read())
    cluster.server.delete_namespace(missing)


def test_two_writers_lose_nothing(cluster: Cluster) -> None:
    """Created, changed and deleted meanwhile are conflicts."""
    target = cluster.target()
    nothing = target.read()
    held = target.write(TEXT, MARK, nothing)
    for replacing in (nothing, held):
        target.write(Secret('{"auths":{}}'), MARK, target.read())
        with pytest.raises(ConflictError):
            target.write(TEXT, MARK, replacing)
    cluster.server.api("DELETE", cluster.path("configmaps", "docker"))
    with pytest.raises(ConflictError):
        target.write(TEXT, MARK, held)


def test_a_server_that_is_slow(cluster: Cluster) -> None:
    """It takes connections and answers nothing."""
    target = cluster.target(access=Access(cluster.server.kubeconfig, read_seconds=0.3))
    target.read()
    cluster.server.pause()
    try:
        with pytest.raises(TemporaryError) as caught:
            target.read()
    finally:
        cluster.server.resume()
    assert caught.value.reason is Reason.TIMEOUT
    until(lambda: target.read().version is None, 30, "the server to answer")


def going(cluster: Cluster) -> str:
    """Return a namespace that is being deleted."""
    name = cluster.make_namespace("going")
    cluster.server.terminate_namespace(name)
    return name


def half_deleted(cluster: Cluster) -> None:
    """Delete an object that something holds back."""
    cluster.put(metadata={"finalizers": ["example.com/hold"]}, data={"config.json": "{}"})
    cluster.server.answer("DELETE", cluster.path("configmaps", "docker"))


NEVER = [{"expression": "false"}]
LONG = {"annotations": {"a": "x" * 262_120}}
TROUBLES: dict[str, Callable[[Cluster], object]] = {
    "immutable": lambda c: c.put(data={"config.json": "{}"}, immutable=True),
    "policy": lambda c: c.policy("Validating", failurePolicy="Fail", validations=NEVER),
    "webhook": lambda c: c.webhook("https://127.0.0.1:1/x"),
    "quota": lambda c: c.quota("count/configmaps"),
    "no namespace": lambda _: {"namespace": f"none-{uuid4().hex}"},
    "namespace that goes": lambda c: {"namespace": going(c)},
    "annotations": lambda c: c.put(data={"config.json": "{}"}, metadata=LONG),
    "no text": lambda c: c.put(binaryData={"config.json": "/w=="}),
    "deleted": half_deleted,
    "no service account": lambda _: {
        "kind": "secret",
        "secret_type": PULL_SECRET,
        "service_accounts": ["nobody"],
    },
}


def met(cluster: Cluster, target: dict[str, Any]) -> DriverError:
    """Return what an account with the Role meets, as soon as there is something in its way."""
    found: list[DriverError] = []
    plural = f"{target.get('kind', 'configmap')}s"
    needed = rules(plural, "docker", target.get("service_accounts", ()))
    access = cluster.account(*needed, everywhere=True)

    def fails() -> bool:
        one = cluster.target(access=access, **target)
        try:
            one.write(TEXT, MARK, one.read())
        except DriverError as error:
            found.append(error)
        return bool(found)

    until(fails, 30, "an error")
    return found[0]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_each_line_works_for_the_account(cluster: Cluster, trouble: str) -> None:
    """As it is typed, or it says that it takes another account; each names the cluster."""
    target = TROUBLES[trouble](cluster)
    error = met(cluster, target if isinstance(target, dict) else {})
    before, *lines = re.split(r"(?=kubectl --kubeconfig )", error.hint)
    assert lines, error.hint
    assert "kubectl" not in before
    for words, line in zip([before, *lines], lines, strict=False):
        command = line.split(" | ")[0].split(" (")[0]
        done = typed(command)
        assert done.returncode == 0 or "an account that may" in before + words, done.stderr
