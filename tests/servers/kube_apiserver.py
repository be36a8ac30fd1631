"""A real Kubernetes API server with its etcd, on loopback: what the fake is measured against.

The server is built once, by `make kubernetes-server`, from `tests/servers/go/kube-apiserver`, into
a cache directory. `make kubernetes` builds it where it is missing, and keeps one running until
Ctrl-C. There is no controller manager, so `KubeApiserver.delete_namespace` does its part.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest
import requests
import yaml

from tests.fakes.certificates import Pki
from tests.support import free_port, missing, need, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ADMIN = "s3cr3t-cluster-admin"
"""May do everything, as a member of `system:masters`."""

_SOURCE = Path(__file__).parent / "go/kube-apiserver"
_KINDS = (
    *(("/api/v1", plural) for plural in ("configmaps", "secrets", "serviceaccounts")),
    ("/api/v1", "resourcequotas"),
    ("/apis/apps/v1", "deployments"),
    ("/apis/batch/v1", "jobs"),
    ("/apis/batch/v1", "cronjobs"),
    ("/apis/networking.k8s.io/v1", "networkpolicies"),
    ("/apis/rbac.authorization.k8s.io/v1", "roles"),
    ("/apis/rbac.authorization.k8s.io/v1", "rolebindings"),
)
"""What a namespace may hold here; the rest goes with the server."""

JSON, MERGE = "application/json", "application/merge-patch+json"


def program() -> Path:
    """Return where the server is or will be: another source is another program."""
    source = b"".join(path.read_bytes() for path in sorted(_SOURCE.iterdir()))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "rotator-tests" / f"kube-apiserver-{hashlib.sha256(source).hexdigest()[:12]}"


def build() -> Path:
    """Build the server unless it is there; takes minutes the first time."""
    built = program()
    if not built.exists():
        if shutil.which("go") is None:
            sys.exit("Go 1.26 or newer is not here: https://go.dev/dl/")
        built.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=built.parent) as place:
            made = Path(place, "kube-apiserver")
            version = f"-X k8s.io/component-base/version.gitVersion={_version()}"
            subprocess.run(
                ["go", "build", "-mod=readonly", f"-ldflags=-s -w {version}", "-o", made, "."],
                cwd=_SOURCE,
                env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"},
                check=True,
            )
            made.replace(built)
    return built


def _version() -> str:
    """Return the version of Kubernetes that is built."""
    for line in (_SOURCE / "go.mod").read_text().splitlines():
        name, _, version = line.strip().partition(" ")
        if name == "k8s.io/kubernetes":
            return version
    raise LookupError("go.mod names no k8s.io/kubernetes")


class KubeApiserver:
    """One server and its etcd; a context manager that starts and ends both.

    `kubeconfig`: of an account that may do everything. `pki` signs client certificates.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self.pki = Pki(directory)
        self.url = f"https://127.0.0.1:{free_port()}"
        self.kubeconfig = self.kubeconfig_for(directory / "admin.kubeconfig", ADMIN)
        self._stack = ExitStack()
        self._server: subprocess.Popen[bytes] | None = None
        self._session = requests.Session()
        self._session.verify = str(self.pki.ca)
        self._session.trust_env = False

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()
        self._stack.close()

    def pause(self) -> None:
        """Take connections and answer nothing."""
        self._signal(signal.SIGSTOP)
        until(lambda: self._state() == "T", 10, "the server to be stopped")

    def resume(self) -> None:
        """Answer again."""
        self._signal(signal.SIGCONT)

    def api(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, **options: str
    ) -> dict[str, Any]:
        """Return what the server answers; fail the test where that is no success."""
        answer = self.answer(method, path, body, **options)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        document: dict[str, Any] = answer.json()
        return document

    def answer(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        kind: str = JSON,
        token: str = ADMIN,
        manager: str = "kubectl",
    ) -> requests.Response:
        """Return the answer to a request as this bearer, whatever it is."""
        return self._session.request(
            method,
            f"{self.url}{path}",
            params={} if method in ("GET", "DELETE") else {"fieldManager": manager},
            data=None if body is None else json.dumps(body),
            headers={"Authorization": f"Bearer {token}", "Content-Type": kind},
            timeout=30,
        )

    def apply(self, *documents: Mapping[str, Any], manager: str = "kubectl") -> None:
        """Apply objects as `kubectl apply --server-side --force-conflicts` does."""
        for one in documents:
            group, metadata = one["apiVersion"], one["metadata"]
            root = f"/api/{group}" if group == "v1" else f"/apis/{group}"
            inside = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
            plural = _plural(one["kind"])
            path = f"{root}{inside}/{plural}/{metadata['name']}?force=true"
            self.api("PATCH", path, one, kind="application/apply-patch+yaml", manager=manager)

    def create_namespace(self, name: str, **labels: str) -> None:
        """Make a namespace."""
        body = {"metadata": {"name": name, "labels": labels}}
        self.api("POST", "/api/v1/namespaces", body)

    def terminate_namespace(self, name: str) -> None:
        """Delete a namespace, which stays as long as nobody empties and finalizes it."""
        self.answer("DELETE", f"/api/v1/namespaces/{name}")

    def delete_namespace(self, name: str) -> None:
        """Delete a namespace as the controller manager does, and wait until it is gone."""
        self.terminate_namespace(name)
        for root, plural in _KINDS:
            self.answer("DELETE", f"{root}/namespaces/{name}/{plural}?propagationPolicy=Background")
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "spec": {}}
        self.answer("PUT", f"/api/v1/namespaces/{name}/finalize", body)
        path = f"/api/v1/namespaces/{name}"
        until(lambda: self.answer("GET", path).status_code == 404, 30, f"{name} to go")

    def token(self, namespace: str, account: str) -> str:
        """Return a token of a service account."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        answer = self.api("POST", path, {"spec": {"expirationSeconds": 3600}})
        return str(answer["status"]["token"])

    def kubeconfig_for(
        self,
        path: Path,
        token: str = ADMIN,
        *,
        user: Mapping[str, Any] | None = None,
        cluster: Mapping[str, Any] | None = None,
    ) -> Path:
        """Write a kubeconfig of this server, for this bearer or this user."""
        here = {"server": self.url, "certificate-authority": str(self.pki.ca), **(cluster or {})}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "real",
            "clusters": [{"name": "real", "cluster": here}],
            "users": [{"name": "someone", "user": dict(user or {"token": token})}],
            "contexts": [{"name": "real", "context": {"cluster": "real", "user": "someone"}}],
        }
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(config))
        return path

    def _state(self) -> str:
        """Return the state of the process, as the kernel has it."""
        assert self._server
        status = Path(f"/proc/{self._server.pid}/stat").read_text()
        return status.rpartition(")")[2].split()[0]

    def _signal(self, number: signal.Signals) -> None:
        assert self._server
        self._server.send_signal(number)

    def _start(self, stack: ExitStack) -> None:
        place, etcd, peer = self._directory, free_port(), free_port()
        store = f"http://127.0.0.1:{etcd}"
        self._run(
            stack,
            "etcd",
            need("etcd", "etcd-server"),
            f"--data-dir={place / 'etcd'}",
            f"--listen-client-urls={store}",
            f"--advertise-client-urls={store}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            "--unsafe-no-fsync",
        )
        tokens = place / "tokens.csv"
        tokens.write_text(f'{ADMIN},admin,admin,"system:masters"\n')
        verifying, signing = self.pki.issue("service-accounts")
        self._server = self._run(
            stack,
            "kube-apiserver",
            str(program()),
            f"--etcd-servers={store}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self.url.rpartition(':')[2]}",
            f"--cert-dir={place / 'made'}",
            f"--tls-cert-file={self.pki.server}",
            f"--tls-private-key-file={self.pki.server_key}",
            f"--client-ca-file={self.pki.ca}",
            f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC",
            f"--service-account-key-file={verifying}",
            f"--service-account-signing-key-file={signing}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--disable-admission-plugins=ServiceAccount",
            "--allow-privileged=true",
            "--watch-cache=false",
        )
        until(self._answers, 60, "the Kubernetes API server to answer")

    def _run(self, stack: ExitStack, name: str, *command: str) -> subprocess.Popen[bytes]:
        log = stack.enter_context((self._directory / f"{name}.log").open("wb"))
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            env={"HOME": str(self._directory), "PATH": os.environ.get("PATH", "")},
        )
        stack.callback(_end, process)
        return process

    def _answers(self) -> bool:
        assert self._server
        if self._server.poll() is not None:
            pytest.fail((self._directory / "kube-apiserver.log").read_text()[-2000:])
        try:
            ready = self.answer("GET", "/readyz").ok
            # Made by the server itself a little later than it is ready.
            return ready and self.answer("GET", "/api/v1/namespaces/default").ok
        except requests.RequestException:
            return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGCONT)
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _plural(kind: str) -> str:
    name = kind.lower()
    return f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"


@pytest.fixture(scope="session")
def kube_apiserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApiserver]:
    """Give a real API server to all tests of this process; each makes its own namespaces."""
    if not program().exists():
        missing("a Kubernetes API server", "make kubernetes-server (needs Go 1.26, some minutes)")
    with KubeApiserver(tmp_path_factory.mktemp("kube-apiserver")) as server:
        yield server


@contextmanager
def _until_interrupted() -> Iterator[None]:
    try:
        yield
        signal.pause()
    except KeyboardInterrupt:
        print()  # noqa: T201  the shell's prompt begins a line


def main() -> None:
    """Build the server; with `run`, start it and say how to use it."""
    build()
    if sys.argv[1:] != ["run"]:
        print(program())  # noqa: T201
        return
    with tempfile.TemporaryDirectory() as place, KubeApiserver(Path(place)) as server:
        lines = (
            f"A Kubernetes API server answers at {server.url} until Ctrl-C. In another shell:",
            f"  export KUBECONFIG={server.kubeconfig}",
            "  kubectl create namespace ci",
            "  rotator run-once                # a kubernetes_secret target needs no `kubeconfig`",
            "Nothing runs pods there, and a namespace that is deleted stays Terminating.",
        )
        with _until_interrupted():
            print("\n".join(lines), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
