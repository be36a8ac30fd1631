"""Opens a client for a cluster's API server: from a kubeconfig, or from inside a pod.

A client and its connections are kept for all targets that are reached in the same way, while each
file that it was made from stays the same: a token that the kubelet has replaced, a renewed
certificate or an edited kubeconfig counts from the next call on. What a login plugin gives is not
kept, as only the plugin knows whether it is still good.

What lightkube does not do by itself is done here: it runs no plugin of the API version v1, gives
none a time limit, and looks for a relative token file in the working directory.

https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

from __future__ import annotations

import base64
import json
import os
import shlex
import weakref
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import msgspec
import yaml
from lightkube import Client, KubeConfig
from lightkube.config.kubeconfig import DEFAULT_KUBECONFIG, SERVICE_ACCOUNT, SingleConfig
from lightkube.config.models import User
from lightkube.core.exceptions import ConfigError

from rotator.core.errors import DriverError, PermanentError, Reason, TemporaryError
from rotator.system import program
from rotator.system.kept import Kept
from rotator.system.program_environment import passed_on
from rotator.system.secret_input import SecretInput
from rotator.targets.kubernetes_reading import bound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lightkube.config.models import UserExec

FIELD_MANAGER = "rotator"
_PLUGIN_OUTPUT = 1024 * 1024
_NOT_A_KUBECONFIG = (
    ConfigError,
    yaml.YAMLError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
)


@dataclass(frozen=True, slots=True)
class Access:
    """How the API server is reached; without `kubeconfig` and `context` as kubectl would do it.

    That is: with the pod's service account, else with the file that `$KUBECONFIG` names, else with
    ~/.kube/config. Times are in seconds.
    """

    kubeconfig: Path | None = None
    context: str | None = None
    service_account: Path = Path(SERVICE_ACCOUNT)
    connect_seconds: float = 5.0
    read_seconds: float = 15.0
    plugin_seconds: float = 15.0

    def open(self) -> Client:
        """Return a client, which closes its connections when nobody holds it any more.

        Raises `PermanentError` (unreadable, malformed, login_rejected) where the configuration or
        what it points to is of no use, `TemporaryError` (timeout) where a plugin hangs.
        """
        config = _configs.get(self, self._files(), self._select)
        if config.user and config.user.exec and not config.user.token:
            return self._connect(config)
        return _clients.get(self, _named(config), partial(self._connect, config), also=config)

    def _files(self) -> list[Path]:
        """Return the files that may say where the server is and who we are."""
        account = [self.service_account / name for name in ("token", "namespace", "ca.crt")]
        return [*account, Path(self._kubeconfig()).expanduser()]

    def _kubeconfig(self) -> Path | str:
        return self.kubeconfig or os.environ.get("KUBECONFIG", DEFAULT_KUBECONFIG)

    def _connect(self, config: SingleConfig) -> Client:
        user = config.user or User()
        if user.token_file:
            token = SecretInput(Path(config.abs_file(user.token_file))).read()
            user = msgspec.structs.replace(user, token=token.reveal(), token_file=None)
        elif user.exec and not user.token:
            user = self._log_in(user.exec, config)
        if not (user.token or "").isascii() or not (user.token or "").isprintable():
            why = "its token holds characters that no header can carry"
            raise self._unusable(Reason.MALFORMED, why)
        timeout = httpx2.Timeout(self.read_seconds, connect=self.connect_seconds)
        try:
            with _in_memory(user) as shown:
                client = Client(
                    config._replace(user=shown), timeout=timeout, field_manager=FIELD_MANAGER
                )
        except OSError as error:
            raise self._unusable(
                Reason.UNREADABLE,
                f"a certificate or key that it names is unreadable: {error.strerror or 'not PEM'}"
                f"{f' ({error.filename})' if error.filename else ''}",
            ) from error
        except (ConfigError, ValueError, TypeError) as error:
            raise self._unusable(Reason.MALFORMED, "its user or cluster is incomplete") from error
        http = client._client._client  # noqa: SLF001  lightkube offers no way in
        bound(http, 2 * self.read_seconds)
        weakref.finalize(client, http.close)
        return client

    def kubectl(self, command: str) -> str:
        """Return the command line that reaches the same cluster in the same way."""
        options = [
            *(["--kubeconfig", str(self.kubeconfig)] if self.kubeconfig else []),
            *(["--context", self.context] if self.context else []),
        ]
        return " ".join(["kubectl", *map(shlex.quote, options), command])

    def _select(self) -> SingleConfig:
        try:
            if self.kubeconfig is None and self.context is None:
                loaded = KubeConfig.from_env(str(self.service_account))
            else:
                loaded = KubeConfig.from_file(self._kubeconfig())
            selected = loaded.get(self.context)
        except ConfigError as error:
            raise self._unusable(Reason.MALFORMED, str(error)) from error
        except OSError as error:
            why = f"{error.strerror}: {error.filename}"
            raise self._unusable(Reason.UNREADABLE, why) from error
        except _NOT_A_KUBECONFIG as error:
            # The exception's own text can repeat a line of the file, and with it a token.
            raise self._unusable(
                Reason.MALFORMED,
                f"it names {error}, which is not in it"
                if isinstance(error, KeyError)
                else "it is no kubeconfig",
            ) from None
        if selected is None:
            raise self._unusable(Reason.MALFORMED, "no current context")
        return selected

    def _log_in(self, plugin: UserExec, config: SingleConfig) -> User:
        """Run the plugin and return the token or the certificate that it prints."""
        command = plugin.command
        if "/" in command:
            command = str(config.abs_file(command))
        asked = {
            "apiVersion": plugin.apiVersion,
            "kind": "ExecCredential",
            "spec": {"interactive": False},
        }
        environment = {
            **passed_on(os.environ),
            **{variable.name: variable.value for variable in plugin.env or []},
            "KUBERNETES_EXEC_INFO": json.dumps(asked),
        }
        try:
            code, output = program.run(
                [command, *(plugin.args or [])],
                b"",
                environment,
                self.plugin_seconds,
                _PLUGIN_OUTPUT,
            )
        except OSError as error:
            missing = plugin.installHint or "install it where rotator runs"
            raise _plugin_error(command, Reason.NOT_FOUND, error.strerror, missing) from error
        except program.ProgramTimeoutError:
            raise TemporaryError(
                Reason.TIMEOUT,
                f"the kubeconfig's login plugin {command} did not end in {self.plugin_seconds:g} s",
                self._try_plugin(),
            ) from None
        except program.ProgramOutputError:
            code, output = 0, b""
        if code != 0:
            why = f"ended with code {code}"
            raise _plugin_error(command, Reason.LOGIN_REJECTED, why, self._try_plugin())
        user = _credential(output)
        if user is None:
            why = "printed no token and no certificate"
            raise _plugin_error(command, Reason.MALFORMED, why, self._try_plugin())
        return user

    def _try_plugin(self) -> str:
        return f"see what it says, as the user that runs rotator: {self.kubectl('auth whoami')}"

    def _unusable(self, reason: Reason, why: str) -> DriverError:
        hint = (
            f"mend it, then try: {self.kubectl('config view --minify')}"
            if self.kubeconfig or self.context
            else "run rotator in a pod with a service account, or set the target's `kubeconfig`"
        )
        return PermanentError(
            reason, f"cannot use the kubeconfig {self._kubeconfig()}: {why}", hint
        )


_configs: Kept[SingleConfig] = Kept()
_clients: Kept[Client] = Kept()


def _named(config: SingleConfig) -> list[Path]:
    """Return the files that a kubeconfig names, and the one that names the trusted authorities."""
    user = config.user or User()
    names = (
        config.cluster.certificate_auth,
        user.client_cert,
        user.client_key,
        user.token_file,
    )
    trusted = Path(os.environ.get("SSL_CERT_FILE", "/"))
    return [trusted, *(Path(config.abs_file(name)) for name in names if name)]


def _plugin_error(command: str, reason: Reason, why: str | None, hint: str) -> DriverError:
    return PermanentError(reason, f"the kubeconfig's login plugin {command}: {why}", hint)


def _credential(output: bytes) -> User | None:
    try:
        status = json.loads(output)["status"]
        token = status.get("token")
        certificate = status.get("clientCertificateData")
        key = status.get("clientKeyData")
        if not isinstance(token, str | None) or (not token and not (certificate and key)):
            return None
        return User(
            token=token or None,
            client_cert_data=_encoded(certificate) if certificate else None,
            client_key_data=_encoded(key) if key else None,
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


@contextmanager
def _in_memory(user: User) -> Iterator[User]:
    """Give the user's certificate and key by names that lead to memory.

    lightkube would write them into files below /tmp, where a crash leaves them.
    """
    with ExitStack() as stack:
        certificate, key = (
            stack.enter_context(_memory_file(data)) if data else None
            for data in (user.client_cert_data, user.client_key_data)
        )
        changes: dict[str, str | None] = {}
        if certificate:
            changes |= {"client_cert": certificate, "client_cert_data": None}
        if key:
            changes |= {"client_key": key, "client_key_data": None}
        yield msgspec.structs.replace(user, **changes) if changes else user


@contextmanager
def _memory_file(data: str) -> Iterator[str]:
    with open(os.memfd_create("rotator"), "wb") as file:  # noqa: PTH123  it has no path
        file.write(base64.b64decode(data))
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"


def _encoded(pem: str) -> str:
    """A kubeconfig holds certificates in base64, a plugin prints them as they are."""
    return base64.b64encode(pem.encode()).decode()
