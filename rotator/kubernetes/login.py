"""What a kubeconfig's user logs in with: a token, a name with a password, or a certificate.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

from __future__ import annotations

import base64
import json
import os
import time
from datetime import datetime  # noqa: TC003  msgspec reads the annotation
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from rotator.core.errors import PermanentError, Reason, TemporaryError
from rotator.core.model import Secret
from rotator.decoding import decode_json
from rotator.system import program
from rotator.system.input_file import read_plain
from rotator.system.secret_input import SecretInput

if TYPE_CHECKING:
    from pathlib import Path

    from rotator.kubernetes.kubeconfig import Cluster, Plugin, Selected

_PLUGIN_OUTPUT = 1024 * 1024

_WITHOUT_END = 60.0  # seconds that a plugin's login counts where it does not say how long
_EARLY = 5.0  # seconds before its end at which a login is made again


class Login(Struct, frozen=True):
    """What is sent to show who we are; `until`: when a plugin has to be asked again."""

    authorization: Secret | None = None
    certificate: Path | bytes | None = None
    key: Path | bytes | Secret | None = None
    until: float | None = None

    def __bool__(self) -> bool:
        """Return whether anything is sent."""
        return self.authorization is not None or self.certificate is not None

    def is_over(self) -> bool:
        """Return whether a plugin has to be asked again, as its login ends within seconds."""
        return self.until is not None and self.until - _EARLY < time.time()

    def secrets(self) -> list[str]:
        """Return what may not appear in an error."""
        sent = self.authorization.reveal().partition(" ")[2] if self.authorization else ""
        return [sent] if sent else []


def log_in(selected: Selected, plugin_seconds: float, hint: str) -> Login:
    """Return the login of a user; runs the plugin where there is one.

    `hint`: how a person sees what the plugin says. Raises `PermanentError`, or `TemporaryError`
    (timeout) where the plugin does not end.
    """
    user, plugin = selected.user, selected.plugin
    token, given = user.token, Login()
    if user.token_file is not None:
        token = SecretInput(user.token_file).read()
    elif plugin is not None and token is None:
        given = _run(plugin, selected.cluster, plugin_seconds, hint)
        token = given.authorization
    authorization = None
    if token is not None:
        text = token.reveal()
        if not (text.isascii() and text.isprintable()):
            raise PermanentError(
                Reason.MALFORMED, "its token holds characters that no header can carry", hint
            )
        authorization = Secret(f"Bearer {text}")
    elif user.username or user.password is not None:
        password = user.password.reveal() if user.password is not None else ""
        basic = base64.b64encode(f"{user.username}:{password}".encode()).decode()
        authorization = Secret(f"Basic {basic}")
    certificate, key = given.certificate or user.certificate, given.key or user.key
    return Login(authorization, certificate, key, given.until)


def _run(plugin: Plugin, cluster: Cluster, seconds: float, hint: str) -> Login:
    environment = {
        **program.passed_on(os.environ),
        **{one.name: one.value for one in plugin.env},
        "KUBERNETES_EXEC_INFO": json.dumps(_request(plugin, cluster)),
    }
    what = f"the kubeconfig's login plugin {plugin.command}"
    command = [plugin.command, *plugin.args]
    try:
        code, output = program.run(command, b"", environment, seconds, _PLUGIN_OUTPUT)
    except OSError as error:
        install = plugin.install_hint or "install it where rotator runs"
        why = f"{what}: {error.strerror or 'not found'}"
        raise PermanentError(Reason.NOT_FOUND, why, install) from error
    except program.ProgramTimeoutError:
        why = f"{what} did not end in {seconds:g} s"
        raise TemporaryError(Reason.TIMEOUT, why, hint) from None
    except program.ProgramOutputError:
        code, output = 0, b""
    if code != 0:
        raise PermanentError(Reason.LOGIN_REJECTED, f"{what}: ended with code {code}", hint)
    login = _login_in(output, plugin.api_version)
    if login is None:
        why = f"{what}: gave no token and no certificate of {plugin.api_version}"
        raise PermanentError(Reason.MALFORMED, why, hint)
    return login


def _request(plugin: Plugin, cluster: Cluster) -> dict[str, Any]:
    """Return what a plugin gets to know: nobody is there; and the cluster, if it asks for that."""
    spec: dict[str, Any] = {"interactive": False}
    if plugin.provide_cluster_info:
        data, file = cluster.certificate_authority_data, cluster.certificate_authority
        data = _read(file) if file and not data else data
        known = {
            "server": cluster.server.rstrip("/"),
            "tls-server-name": cluster.tls_server_name,
            "insecure-skip-tls-verify": cluster.insecure_skip_tls_verify or None,
            "certificate-authority-data": base64.b64encode(data).decode() if data else None,
            "proxy-url": cluster.proxy_url,
            "config": cluster.plugin_config,
        }
        spec["cluster"] = {name: value for name, value in known.items() if value is not None}
    return {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}


def _read(authority: Path) -> bytes:
    try:
        return read_plain(authority)
    except OSError as error:
        raise PermanentError(
            Reason.UNREADABLE,
            f"the kubeconfig's `certificate-authority` {authority} is unreadable: {error.strerror}",
            f"make it readable for the user that runs rotator: ls -l {authority}",
        ) from None


class _Status(Struct, rename="camel"):
    token: str | None = None
    client_certificate_data: str | None = None
    client_key_data: str | None = None
    expiration_timestamp: datetime | None = None


class _ExecCredential(Struct, rename="camel"):
    status: _Status
    api_version: str | None = None


def _login_in(output: bytes, version: str) -> Login | None:
    """Return the login in a plugin's output; None where there is none."""
    try:
        found = decode_json(output, _ExecCredential)
        status, end = found.status, found.status.expiration_timestamp
        until = end.timestamp() if end else time.time() + _WITHOUT_END
    except (msgspec.DecodeError, ValueError, RecursionError, OverflowError):
        return None
    token, certificate, key = status.token, status.client_certificate_data, status.client_key_data
    if found.api_version not in (None, version) or not (token or (certificate and key)):
        return None
    return Login(
        Secret(token) if token else None,
        certificate.encode() if certificate else None,
        Secret(key) if key else None,
        until,
    )
