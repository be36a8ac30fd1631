"""How a cluster's API server is reached: by a kubeconfig, or from inside a pod.

All targets that are reached in the same way use one connection, while each file that it was made
from stays the same: a token that the kubelet has replaced, a renewed certificate or an edited
kubeconfig counts from the next call on. A login plugin's output counts until it ends.

https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock

from rotator.core.errors import PermanentError, Reason
from rotator.http.connections import is_loopback
from rotator.kubernetes.connection import Connection
from rotator.kubernetes.contexts import load
from rotator.kubernetes.kubeconfig import Cluster, KubeconfigError, Selected, User
from rotator.kubernetes.login import Login, log_in
from rotator.system.cache import Cache
from rotator.system.each import after_others
from rotator.system.missing import is_missing

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
DEFAULT_KUBECONFIG = "~/.kube/config"


@dataclass(frozen=True, slots=True)
class Access:
    """How the API server is reached.

    Without `kubeconfig` and `context`: with the pod's service account where there is one, else with
    what $KUBECONFIG or ~/.kube/config says, as kubectl does. Times are in seconds.
    """

    kubeconfig: Path | None = None
    context: str | None = None
    service_account: Path = SERVICE_ACCOUNT
    connect_seconds: float = 5.0
    read_seconds: float = 15.0
    plugin_seconds: float = 15.0

    def __str__(self) -> str:
        """Return the kubeconfig and context, which make one way differ from another."""
        return "@".join(map(str, filter(None, (self.kubeconfig, self.context)))) or "cluster"

    def open(self) -> Connection:
        """Return the connection that is there, or a new one.

        Raises `PermanentError` (unreadable, malformed, login_rejected, not_found) where the
        configuration or what it points to is of no use, `TemporaryError` (timeout) where a plugin
        hangs.
        """
        with after_others(_locks.setdefault(self, Lock())):
            of_pod = map(self.service_account.joinpath, ("token", "ca.crt"))
            try:
                selected = _selected.get(self, [*of_pod, *self._kubeconfigs()], self._select)
                named = [Path(os.environ.get("SSL_CERT_FILE", "/")), *selected.files()]
                if (last := _last.get(self)) is not None and last.is_over():
                    self.forget()
                make = partial(self._connect, selected)
                connection = _connections.get(self, named, make, also=selected)
            except KubeconfigError as error:
                raise self._unusable(error) from None
            _last[self] = connection.login
            return connection

    def forget(self) -> None:
        """Make a new connection next time: the server does not accept the login of this one."""
        _connections.forget(self)

    def kubectl(self, command: str) -> str:
        """Return the command line that reaches the same cluster in the same way."""
        options = [
            *(["--kubeconfig", str(self.kubeconfig)] if self.kubeconfig else []),
            *(["--context", self.context] if self.context else []),
        ]
        return " ".join(["kubectl", *map(shlex.quote, options), command])

    def kubectl_of_others(self, command: str) -> str:
        """Return such a command line, which our own account has no right to by its Role."""
        return f"(as an account that may) {self.kubectl(command)}"

    def _kubeconfigs(self) -> list[Path]:
        if self.kubeconfig:
            return [self.kubeconfig]
        names = [name for name in os.environ.get("KUBECONFIG", "").split(os.pathsep) if name]
        return [Path(name).expanduser() for name in dict.fromkeys(names or [DEFAULT_KUBECONFIG])]

    def _select(self) -> Selected:
        if in_pod := self._in_pod():
            return in_pod
        paths = self._kubeconfigs()
        if all(map(is_missing, paths)):
            raise KubeconfigError("No such file or directory", Reason.UNREADABLE)
        try:
            return load(paths, self.context)
        except OSError as error:
            raise KubeconfigError(
                f"{error.strerror}: {error.filename}", Reason.UNREADABLE
            ) from None

    def _in_pod(self) -> Selected | None:
        """Return what the pod's service account gives, as client-go's `rest.InClusterConfig`."""
        host = os.environ.get("KUBERNETES_SERVICE_HOST")
        port = os.environ.get("KUBERNETES_SERVICE_PORT")
        token, authority = (self.service_account / name for name in ("token", "ca.crt"))
        if self.kubeconfig or self.context or not (host and port) or is_missing(token):
            return None
        address = f"[{host}]" if ":" in host else host
        trusted = None if is_missing(authority) else authority
        cluster = Cluster(f"https://{address}:{port}", certificate_authority=trusted)
        return Selected(cluster, User(token_file=token))

    def _connect(self, selected: Selected) -> Connection:
        server = selected.cluster.server.rstrip("/")
        whoami = f"see what it says, as the user that runs rotator: {self.kubectl('auth whoami')}"
        login = log_in(selected, self.plugin_seconds, whoami)
        if login and server.startswith("http:") and not is_loopback(server):
            raise KubeconfigError(
                "the field `server` of its cluster begins with http://, and a login that is sent "
                "there could be read on the way",
                Reason.INVALID,
            )
        return Connection(selected, login, connect=self.connect_seconds, read=self.read_seconds)

    def _unusable(self, error: KubeconfigError) -> PermanentError:
        paths = self._kubeconfigs()
        correct = f"correct it, then try: {self.kubectl('config view --minify')}"
        if not self.kubeconfig and all(map(is_missing, paths)):
            correct = (
                "run rotator in a pod with a service account, or set the target's `kubeconfig`"
            )
        where = ":".join(map(str, paths))
        return PermanentError(error.reason, f"cannot use the kubeconfig {where}: {error}", correct)


_locks: dict[Access, Lock] = {}
_last: dict[Access, Login] = {}
_selected: Cache[Selected] = Cache()
_connections: Cache[Connection] = Cache()
