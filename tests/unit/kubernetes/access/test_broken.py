"""A kubeconfig that is of no use says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from rotator.core.errors import PermanentError, Reason
from rotator.kubernetes.access import Access
from tests.unit.kubernetes.cluster import error_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.kubernetes import FakeKubernetes

BROKEN: dict[str, tuple[str | None, Reason, str]] = {
    "missing": (None, Reason.UNREADABLE, "No such file"),
    "no YAML": ("users: [s3cr3t-token: }", Reason.MALFORMED, "is not YAML"),
    "empty": ("", Reason.MALFORMED, "`current-context`"),
    "a list": ("- 1", Reason.MALFORMED, "no kubeconfig"),
    "no contexts": (
        "{current-context: a, clusters: []}",
        Reason.MALFORMED,
        "'a' in its `contexts`",
    ),
    "no current context": ("{clusters: [], contexts: []}", Reason.MALFORMED, "`current-context`"),
    "unknown cluster": (
        "{current-context: a, clusters: [], contexts: [{name: a, context: {cluster: prod}}]}",
        Reason.MALFORMED,
        "'prod' in its `clusters`",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_explains_a_broken_kubeconfig(tmp_path: Path, name: str) -> None:
    """The error names the file and what is wrong, and repeats nothing of it."""
    text, reason, what = BROKEN[name]
    path = tmp_path / "config"
    if text is not None:
        path.write_text(text)

    error = error_of(Access(path))

    assert (type(error), error.reason) == (PermanentError, reason)
    assert str(path) in error.detail
    assert what in error.detail
    assert f"kubectl --kubeconfig {path} config view" in error.hint


USERS: dict[str, tuple[dict[str, Any], Reason]] = {
    "no file": ({"client-certificate": "none.crt", "client-key": "none.key"}, Reason.UNREADABLE),
    "no PEM": ({"client-certificate": "junk", "client-key": "junk"}, Reason.MALFORMED),
    "no base64": ({"client-certificate-data": "s3cr3t", "client-key-data": "*"}, Reason.MALFORMED),
    "no key": ({"client-certificate": "junk"}, Reason.MALFORMED),
    "old provider": ({"auth-provider": {"name": "gcp"}}, Reason.MALFORMED),
}


@pytest.mark.parametrize("name", USERS)
def test_explains_an_unusable_user(fake: FakeKubernetes, tmp_path: Path, name: str) -> None:
    """Certificates that are not there or are none, and logins of another time."""
    user, reason = USERS[name]
    (tmp_path / "junk").write_text("s3cr3t-junk")

    error = error_of(Access(fake.kubeconfig(tmp_path / "config", user=user)))

    assert (type(error), error.reason) == (PermanentError, reason)


def test_a_context_without_user_is_anonymous(fake: FakeKubernetes, tmp_path: Path) -> None:
    """As with kubectl: the server decides what that may do, and a Role is never the answer."""
    path = fake.kubeconfig(tmp_path / "config")
    config = yaml.safe_load(path.read_text())
    del config["contexts"][0]["context"]["user"]
    path.write_text(yaml.safe_dump(config))

    error = error_of(Access(path))

    assert error.reason is Reason.LOGIN_REJECTED
    assert "no login was sent" in error.detail
    assert "Role" not in error.hint
