"""The places of a haunted site: files, scripts, kubeconfigs and servers, with secrets in them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.fakes.kubernetes import ADMIN
from tests.fuzz.stub import Reply, Stub
from tests.support import MARKED

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from tests.e2e.site import Site
    from tests.fakes.gitlab import FakeGitlab
    from tests.fakes.kubernetes import FakeKubernetes

_CHILD = 'cat /proc/$$/environ /proc/$$/cmdline > "{seen}/{name}-$$"\n'

_PLUGIN = """#!/bin/sh
cat /proc/$$/environ /proc/$$/cmdline > "{seen}/plugin-$$"
printf '%s' '{answer}'
"""


@dataclass
class HauntedPlaces:
    """Makes places in a site. `secrets`: every secret there is, by name.

    `seen`: what the children were given, a file each.
    """

    site: Site
    gitlab: FakeGitlab
    kubernetes: FakeKubernetes
    stack: ExitStack
    secrets: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the folders."""
        self.place = self.site.place
        self.hidden, self.seen = self.place / "hidden", self.place / "seen"
        self.bin, self.published = self.place / "bin", self.place / "docker"
        for folder in (self.hidden, self.seen, self.bin, self.place / "tmp"):
            folder.mkdir()

    def where_secrets_belong(self) -> list[Path]:
        """Return the files that hold secrets because they were put or published there."""
        own = [self.place / name for name in ("vault-token", ".aws")]
        return [self.hidden, self.published, self.bin, *own]

    def _new(self, name: str, letters: str = "") -> str:
        """Return a new secret; its name goes into the list of those that are searched for."""
        self.secrets[name] = f"{MARKED}{len(self.secrets)}-of-its-place{letters}"
        return self.secrets[name]

    def _keep(self, name: str, secret: str) -> str:
        """Return a file that holds a secret, where it belongs."""
        path = self.hidden / name
        path.write_text(secret)
        return str(path)

    def _folder(self, name: str) -> Path:
        folder = self.published / name
        folder.mkdir(exist_ok=True)
        return folder

    def _vault_at(self, name: str, token: str, **more: Any) -> dict[str, Any]:
        auth = {"method": "token", "token_file": self._keep(f"vault-{name}", token)}
        self.secrets[f"Vault: {name}"] = token
        return {**self.site.vault, "auth": auth, **more}

    def _login(self, name: str, password: str) -> dict[str, Any]:
        """Return a source that copies a docker config."""
        auth = base64.b64encode(f"robot:{password}".encode()).decode()
        path = self._keep(f"{name}.json", json.dumps({"auths": {"copy.example": {"auth": auth}}}))
        return {"type": "docker_config", "path": path, "registries": ["copy.example"]}

    def _helper(self, name: str, script: str) -> dict[str, Any]:
        path = self.bin / f"docker-credential-{name}"
        path.write_text("#!/bin/sh\n" + _CHILD.format(seen=self.seen, name=name) + script)
        path.chmod(0o755)
        registries = [f"helper-{name}.example"]
        return {"type": "credential_helper", "helper": name, "registries": registries}

    def _answer(self, secret: str) -> str:
        return f"cat <<'END'\n{json.dumps({'Username': 'ci', 'Secret': secret})}\nEND\n"

    def _variable(self, key: str = "DOCKER_AUTH_CONFIG", **more: Any) -> dict[str, Any]:
        where = {"type": "gitlab_variable", "url": self.gitlab.url, "group": "platform"}
        key = key.replace("-", "_").upper()
        return {**where, "key": key, **more}

    def _kubernetes_target(self, kind: str, name: str, kubeconfig: str) -> dict[str, Any]:
        return {"type": kind, "namespace": "ci", "name": name, "kubeconfig": kubeconfig}

    def _kubeconfig(self, name: str, **how: Any) -> str:
        return str(self.kubernetes.kubeconfig(self.hidden / f"kube-{name}", **how))

    def _plugin(self) -> dict[str, Any]:
        """Return a user whose token a program gives, which tells what it was given itself."""
        path = self.bin / "plugin"
        version = "client.authentication.k8s.io/v1"
        answer = {"apiVersion": version, "kind": "ExecCredential", "status": {"token": ADMIN}}
        path.write_text(_PLUGIN.format(seen=self.seen, answer=json.dumps(answer)))
        path.chmod(0o755)
        return {
            "exec": {"apiVersion": version, "command": str(path), "interactiveMode": "Never"},
        }

    def _echo(self, status: int) -> str:
        """Start a server that tells each client everything that it has sent; return its address."""
        stub = self.stack.enter_context(Stub())

        def answer(*_: str) -> Reply:
            words = stub.received
            reported = {"errors": words, "message": " ".join(words), "__type": " ".join(words)}
            return Reply(json.dumps(reported).encode(), status)

        stub.answer = answer
        return stub.url
