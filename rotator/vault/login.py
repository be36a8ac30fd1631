"""The ways to log in, and the token that comes of it.

Every method but `token` and `agent` is one POST to `auth/MOUNT/login`.
https://developer.hashicorp.com/vault/api-docs/auth

A login counts as rejected only where the server itself says so, in its own format. Five wrong
AppRole secret ids lock a role, so a rejected secret is not offered again for long; for a proxy's
page, a standby or a quota that would be the wrong conclusion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, assert_never

from msgspec import Struct
from msgspec.structs import replace

from rotator.config import vault_auth as auth
from rotator.core.errors import LoginRejectedError, PermanentError, Reason, TemporaryError
from rotator.core.model import Secret
from rotator.decoding import load
from rotator.system.secret_input import SecretInput
from rotator.vault.errors import FORBIDDEN, NOT_FOUND, is_vaults, token_is_bad
from rotator.vault.reply import duration, whole_number

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    import requests

    from rotator.core.ports import Clock
    from rotator.vault.connection import Connection, Server
    from rotator.vault.patience import Patience

_REFUSED = frozenset({400, 401, FORBIDDEN})
_TOKEN_SHAPES = ("s.", "hvs.", "b.", "hvb.", "r.", "hvr.")

_HINTS = {
    "approle": "make a new secret id (vault write -f auth/{mount}/role/ROLE/secret-id) and write "
    "it where `auth` says, or correct `role_id`",
    "kubernetes": "bind the service account and its namespace to the role (vault read "
    "auth/{mount}/role/ROLE), or correct `role`",
    "jwt": "see that the JWT fits the role (vault read auth/{mount}/role/ROLE): bound_audiences, "
    "bound_subject, its end",
    "cert": "see that the certificate fits a role (vault list auth/{mount}/certs) and is in date",
    "userpass": "correct `username`, or the password in `password_file`",
    "aws": "bind the AWS role to the Vault role (vault read auth/{mount}/role/ROLE), or correct "
    "`role` and `region`",
}


_Posted = (
    auth.ApproleAuthSettings
    | auth.KubernetesAuthSettings
    | auth.JwtAuthSettings
    | auth.CertAuthSettings
    | auth.UserpassAuthSettings
    | auth.AwsAuthSettings
)
"""The methods that are a POST to `auth/MOUNT/login`."""


class Token(Struct, frozen=True):
    """A login token: `ttl` is its whole life, `expires_at` its end; None where it has none.

    `text` is None where an Agent or Proxy adds its own. `uses`: how often it can still be used, 0
    where that is not counted. `periodic`: renewals never run into a last end. `batch`: it can
    neither be renewed nor ended. `policies` is None where the token may not look at itself.
    """

    text: Secret | None = None
    renewable: bool = False
    ttl: timedelta | None = None
    expires_at: datetime | None = None
    uses: int = 0
    periodic: bool = False
    batch: bool = False
    policies: tuple[str, ...] | None = None


def secret_input(server: Server) -> SecretInput | None:
    """Return where the secret that logs in stands; None where no file or variable holds it."""
    method = server.auth
    match method:
        case auth.TokenAuthSettings():
            file, env = method.token_file, method.token_env
        case auth.ApproleAuthSettings():
            file, env = method.secret_id_file, method.secret_id_env
        case auth.KubernetesAuthSettings() | auth.JwtAuthSettings():
            file, env = method.jwt_file, None
        case auth.UserpassAuthSettings():
            file, env = method.password_file, None
        case auth.CertAuthSettings():
            file, env = server.client_key_file or server.client_cert_file, None
        case auth.AwsAuthSettings() | auth.AgentAuthSettings():
            file, env = None, None
        case _:
            assert_never(method)
    return SecretInput(file, env) if file or env else None


def log_in(server: Server, connection: Connection, clock: Clock, patience: Patience) -> Token:
    """Log in with the secret read now.

    Raises `LoginRejectedError` where the server refuses the secret itself, `PermanentError` where
    it can't be read, and what a request raises.
    """
    if isinstance(server.auth, auth.AgentAuthSettings):
        return Token()
    if isinstance(server.auth, auth.TokenAuthSettings):
        return _look_up(server, server.auth, connection, clock, patience)
    path, body, hidden = _request(server, server.auth)
    connection.hide(hidden)
    what = f"cannot log in ({path})"
    now = clock()
    response = patience.answer(
        lambda: connection.send(what, "POST", path, body, namespace=server.namespace)
    )
    if not response.ok:
        raise _not_logged_in(server, server.auth, connection, response, what)
    document = connection.document(response, what, server.namespace)
    return _granted(server, document, what, now)


def renew(
    server: Server, token: Token, connection: Connection, clock: Clock, patience: Patience
) -> Token:
    """Return the token with a later end, or as it is where the server does not lengthen it."""
    if not token.renewable:
        return token
    what, path = "cannot renew the login token", "auth/token/renew-self"
    now = clock()
    response = patience.answer(
        lambda: connection.send(
            what, "POST", path, {}, namespace=server.namespace, token=token.text
        )
    )
    if not response.ok:
        error = connection.refusal(response, what, namespace=server.namespace)
        if isinstance(error, TemporaryError):
            raise error
        return token
    document = connection.document(response, what, server.namespace)
    renewed = _granted(server, document, what, now)
    return replace(renewed, ttl=token.ttl, periodic=token.periodic)


def is_wrapping_token(connection: Connection, secret: Secret, namespace: str | None) -> bool:
    """Return whether a secret is a wrapping token, which is good for one use and no secret itself.

    Asks what nobody needs a login for, and what does not use the token:
    https://developer.hashicorp.com/vault/api-docs/system/wrapping-lookup
    """
    if not secret.reveal().startswith(_TOKEN_SHAPES):
        return False
    what = "cannot ask whether the secret is a wrapping token"
    body = {"token": secret}
    response = connection.send(what, "POST", "sys/wrapping/lookup", body, namespace=namespace)
    return bool(response.ok)


def unwrap_hint(given: SecretInput) -> str:
    """Return what to do with a wrapping token."""
    where = given.file or f"${given.env}"
    return (
        "unwrap it where the file is written, and write what comes out: "
        f'VAULT_TOKEN="$(cat {where})" vault unwrap'
    )


def _not_logged_in(
    server: Server,
    method: _Posted,
    connection: Connection,
    response: requests.Response,
    what: str,
) -> Exception:
    error = connection.refusal(response, what, namespace=server.namespace)
    if isinstance(error, TemporaryError):
        return error
    if response.status_code == NOT_FOUND:
        hint = "correct `mount` (vault auth list), or set `namespace`"
        return PermanentError(Reason.NOT_FOUND, error.detail, hint)
    if response.status_code not in _REFUSED:
        return error
    given = secret_input(server)
    if (
        isinstance(method, auth.ApproleAuthSettings)
        and given is not None
        and is_wrapping_token(connection, given.read(), server.namespace)
    ):
        where = given.file or f"${given.env}"
        detail = f"{error.detail}: {where} holds a wrapping token, not the secret id itself"
        return LoginRejectedError(detail, unwrap_hint(given))
    hint = _HINTS[method.method].format(mount=method.mount)
    if response.status_code == FORBIDDEN:
        # The server says no more than that, also where nothing is mounted.
        hint += "; or correct `mount` or `namespace` if this login is elsewhere"
    return LoginRejectedError(error.detail, hint)


def _look_up(
    server: Server,
    method: auth.TokenAuthSettings,
    connection: Connection,
    clock: Clock,
    patience: Patience,
) -> Token:
    text = SecretInput(method.token_file, method.token_env).read()
    what = f"cannot use the token from {method.token_file or method.token_env}"
    now = clock()
    response = patience.answer(
        lambda: connection.send(
            what, "GET", "auth/token/lookup-self", namespace=server.namespace, token=text
        )
    )
    if not response.ok:
        error = connection.refusal(response, what, namespace=server.namespace)
        if response.status_code != FORBIDDEN or not is_vaults(response):
            raise error
        if token_is_bad(response):
            raise LoginRejectedError(
                f"{error.detail}: it is wrong, expired, revoked or used up",
                "put a good one there, such as: vault token create -period=24h -policy=NAME "
                "(a wrapping token and one with `num_uses` are good for some uses only)",
            )
        # Its policies don't let it look at itself. It may still read; its end is not known then.
        return Token(text)
    data = connection.document(response, what, server.namespace).get("data")
    data = data if isinstance(data, Mapping) else {}
    left = duration(data.get("ttl"))
    return Token(
        text,
        bool(data.get("renewable")),
        duration(data.get("creation_ttl")),
        now + left if left else None,
        uses=whole_number(data.get("num_uses")),
        periodic=bool(data.get("period")),
        batch=data.get("type") == "batch",
        policies=_names(data.get("policies")),
    )


def _granted(server: Server, document: Mapping[str, Any], what: str, now: datetime) -> Token:
    auth = document.get("auth")
    auth = auth if isinstance(auth, Mapping) else {}
    text = auth.get("client_token")
    if not isinstance(text, str) or not text:
        raise PermanentError(
            Reason.MALFORMED,
            f"{what} at {server.name}: the answer holds no token",
            "use a role without multi-factor authentication",
        )
    ttl = duration(auth.get("lease_duration"))
    return Token(
        Secret(text),
        bool(auth.get("renewable")),
        ttl,
        now + ttl if ttl else None,
        batch=auth.get("token_type") == "batch",
        policies=_names(auth.get("policies")),
    )


def _request(
    server: Server, method: _Posted
) -> tuple[str, Mapping[str, str | Secret], Sequence[Secret]]:
    """Return the path and the body of a login, and what else is secret in it."""
    path = f"auth/{method.mount}/login"
    given = secret_input(server)
    match method:
        case auth.ApproleAuthSettings():
            secret_id = {"secret_id": given.read()} if given else {}
            return path, {"role_id": method.role_id, **secret_id}, ()
        case auth.KubernetesAuthSettings() | auth.JwtAuthSettings():
            jwt = SecretInput(method.jwt_file).read()
            return path, {**_role("role", method.role), "jwt": jwt}, ()
        case auth.UserpassAuthSettings():
            password = SecretInput(method.password_file).read()
            return f"{path}/{method.username}", {"password": password}, ()
        case auth.CertAuthSettings():
            return path, _role("name", method.role), ()
        case auth.AwsAuthSettings():
            signed_identity = load("rotator.vault.aws_identity").signed_identity  # botocore is slow
            identity, hidden = signed_identity(method)
            return path, {**_role("role", method.role), **identity}, hidden
        case _:
            assert_never(method)


def _role(key: str, role: str | None) -> dict[str, str | Secret]:
    return {key: role} if role else {}


def _names(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()
