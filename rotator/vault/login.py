"""The ways to log in, and the token that comes of it.

Every method but `token` and `agent` is one POST to `auth/MOUNT/login`.
https://developer.hashicorp.com/vault/api-docs/auth

A login counts as rejected only where the server itself says so, in its own format. Five wrong
AppRole secret ids lock a role, so a rejected secret is not offered again for long; for a proxy's
page, a standby or a quota that would be the wrong conclusion.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, assert_never
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from rotator.config import vault_auth as auth
from rotator.core.errors import LoginRejectedError, PermanentError, Reason, TemporaryError
from rotator.core.model import Secret
from rotator.decoding import load
from rotator.system.secret_input import SecretInput
from rotator.vault.errors import (
    FORBIDDEN,
    NOT_FOUND,
    duration,
    is_vaults,
    token_is_bad,
    whole_number,
)

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from rotator.core.ports import Clock
    from rotator.vault.connection import Answer, Ask, Connection, Server
    from rotator.vault.session import Patience

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
    ask = _asked(server, server.auth, connection)
    now = clock()
    answer = patience.answer(
        lambda: connection.send(ask, "cannot log in ({path})", namespace=server.namespace)
    )
    if not answer.response.ok:
        raise _not_logged_in(server, server.auth, connection, answer)
    return _granted(answer, now)


def renew(
    server: Server, token: Token, connection: Connection, clock: Clock, patience: Patience
) -> Token:
    """Return the token with a later end, or as it is where the server does not lengthen it."""
    if not token.renewable:
        return token
    now = clock()
    answer = patience.answer(
        lambda: connection.send(
            lambda vault: vault.auth.token.renew_self(),
            "cannot renew the login token",
            namespace=server.namespace,
            token=token.text,
        )
    )
    if not answer.response.ok:
        error = answer.error()
        if isinstance(error, TemporaryError):
            raise error
        return token
    return replace(_granted(answer, now), ttl=token.ttl, periodic=token.periodic)


def is_wrapping_token(connection: Connection, secret: Secret, namespace: str | None) -> bool:
    """Return whether a secret is a wrapping token, which is good for one use and no secret itself.

    Asks what nobody needs a login for, and what does not use the token:
    https://developer.hashicorp.com/vault/api-docs/system/wrapping-lookup
    """
    if not secret.reveal().startswith(_TOKEN_SHAPES):
        return False
    answer = connection.send(
        # hvac has no method for it.
        lambda vault: vault.adapter.post("v1/sys/wrapping/lookup", json={"token": secret}),
        "cannot ask whether the secret is a wrapping token",
        namespace=namespace,
    )
    return bool(answer.response.ok)


def unwrap_hint(given: SecretInput) -> str:
    """Return what to do with a wrapping token."""
    where = given.file or f"${given.env}"
    return (
        "unwrap it where the file is written, and write what comes out: "
        f'VAULT_TOKEN="$(cat {where})" vault unwrap'
    )


def _not_logged_in(
    server: Server, method: _Posted, connection: Connection, answer: Answer
) -> Exception:
    error = answer.error()
    if isinstance(error, TemporaryError):
        return error
    if answer.status == NOT_FOUND:
        hint = "correct `mount` (vault auth list), or set `namespace`"
        return PermanentError(Reason.NOT_FOUND, error.detail, hint)
    if answer.status not in _REFUSED:
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
    if answer.status == FORBIDDEN:
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
    now = clock()
    answer = patience.answer(
        lambda: connection.send(
            lambda vault: vault.auth.token.lookup_self(),
            f"cannot use the token from {method.token_file or method.token_env}",
            namespace=server.namespace,
            token=text,
        )
    )
    if not answer.response.ok:
        error = answer.error()
        if answer.status != FORBIDDEN or not is_vaults(answer.response):
            raise error
        if token_is_bad(answer.response):
            raise LoginRejectedError(
                f"{error.detail}: it is wrong, expired, revoked or used up",
                "put a good one there, such as: vault token create -period=24h -policy=NAME "
                "(a wrapping token and one with `num_uses` are good for some uses only)",
            )
        # Its policies don't let it look at itself. It may still read; its end is not known then.
        return Token(text)
    data = answer.document.get("data")
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


def _granted(answer: Answer, now: datetime) -> Token:
    auth = answer.document.get("auth")
    auth = auth if isinstance(auth, Mapping) else {}
    text = auth.get("client_token")
    if not isinstance(text, str) or not text:
        raise PermanentError(
            Reason.MALFORMED,
            f"{answer.what}: the answer holds no token",
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


def _asked(server: Server, method: _Posted, connection: Connection) -> Ask:
    """Return what asks for a login; the secret is read now."""
    given = secret_input(server)
    mount = method.mount
    there = {"mount_point": mount, "use_token": False}
    match method:
        case auth.ApproleAuthSettings():
            role_id, secret_id = method.role_id, given.read() if given else None
            return lambda vault: vault.auth.approle.login(role_id, secret_id, **there)
        case auth.KubernetesAuthSettings() | auth.JwtAuthSettings():
            role, jwt = method.role, SecretInput(method.jwt_file).read()
            if isinstance(method, auth.JwtAuthSettings):
                return lambda vault: vault.auth.jwt.jwt_login(
                    role, jwt, path=mount, use_token=False
                )
            return lambda vault: vault.auth.kubernetes.login(role, jwt, **there)
        case auth.UserpassAuthSettings():
            name, password = quote(method.username), SecretInput(method.password_file).read()
            return lambda vault: vault.auth.userpass.login(name, password, **there)
        case auth.CertAuthSettings():
            # hvac's method reads certificate files again; the connection shows the certificate.
            fields: dict[str, str | Secret] = {"name": method.role} if method.role else {}
        case auth.AwsAuthSettings():
            # hvac's method signs for the global STS alone.
            signed_identity = load("rotator.vault.aws_identity").signed_identity  # botocore is slow
            fields, hidden = signed_identity(method)
            connection.hide(hidden)
            if method.role:
                fields["role"] = method.role
        case _:
            assert_never(method)
    return lambda vault: vault.adapter.login(
        f"v1/auth/{quote(mount)}/login", use_token=False, json=fields
    )


def _names(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()
