"""What an account may do on a real API server: the one of rendered manifests, tried there."""

from __future__ import annotations

import json
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_KINDS = frozenset({"ServiceAccount", "Role", "RoleBinding"})


class Account:
    """An account on a cluster; `namespaces` has the real ones by their names in the manifests."""

    def __init__(self, kubectl: str, kubeconfig: Path, namespaces: Mapping[str, str]) -> None:
        self.kubeconfig = kubeconfig
        self.namespaces = namespaces
        self._kubectl = kubectl

    def may(self, verb: str, what: str, namespace: str) -> bool:
        """Return whether it may do that: `get`, `secrets/NAME`, a namespace as in the manifests."""
        line = ["--namespace", self.namespaces[namespace], "auth", "can-i", verb, what]
        answer = _run(self._kubectl, self.kubeconfig, *line, fails=True).strip()
        assert answer in ("yes", "no"), answer
        return answer == "yes"


@contextmanager
def account(manifests: str, kubectl: str, given: Path, place: Path) -> Iterator[Account]:
    """Give the manifests' account, with its Role, in namespaces of random names.

    `given`: a kubeconfig that may do everything. The namespaces are deleted afterwards.
    """
    taken = [one for one in yaml.safe_load_all(manifests) if one["kind"] in _KINDS]
    (who,) = [one["metadata"] for one in taken if one["kind"] == "ServiceAccount"]
    unique, namespaces = f"rotator-test-{uuid4().hex[:8]}", dict[str, str]()
    for one in taken:
        for named in (one["metadata"], *one.get("subjects", [])):
            name = f"{unique}-{len(namespaces)}"
            named["namespace"] = namespaces.setdefault(named["namespace"], name)
    try:
        for name in namespaces.values():
            _run(kubectl, given, "create", "namespace", name)
        _run(kubectl, given, "apply", "--filename=-", text=yaml.safe_dump_all(taken))
        line = ["--namespace", who["namespace"], "create", "token", who["name"]]
        token = _run(kubectl, given, *line).strip()
        line = ["config", "view", "--minify", "--flatten", "--raw", "--output=json"]
        config = json.loads(_run(kubectl, given, *line))
        config["users"] = [{**user, "user": {"token": token}} for user in config["users"]]
        kubeconfig = place / "kubeconfig"
        kubeconfig.touch(mode=0o600)
        kubeconfig.write_text(json.dumps(config))
        yield Account(kubectl, kubeconfig, namespaces)
    finally:
        gone = ["--ignore-not-found", "--wait=false", *namespaces.values()]
        _run(kubectl, given, "delete", "namespace", *gone)


def _run(
    kubectl: str, kubeconfig: Path, *line: str, text: str | None = None, fails: bool = False
) -> str:
    done = subprocess.run(
        [kubectl, "--kubeconfig", str(kubeconfig), "--request-timeout=30s", *line],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert fails or done.returncode == 0, done.stderr
    return done.stdout
