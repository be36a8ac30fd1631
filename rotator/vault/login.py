"""The ways to log in, and the token that comes of it.

Every method but `token` and `agent` is one POST to `auth/MOUNT/login`.
https://developer.hashicorp.com/vault/api-docs/auth

A login counts as rejected only where the server itself says so, in its own format. Five wrong
AppRole secret ids lock a role, so a rejected secret is not offered again for long; for a proxy's
page, a standby or a quota that would be the wrong conclusion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from rotator.config import vault_auth as auth
from rotator.core.errors import LoginRejectedError, PermanentError, Reason, TemporaryError
from rotator.core.model import Secret
from rotator.decoding import load
from rotator.http.reading import list_in, object_in
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
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from rotator.core.ports import Clock
    from rotator.vault.connection import Answer, Ask, Connection
    from rotator.vault.patience import Patience
    from rotator.vault.server import Server

_REFUSED = frozenset({400, 401, FORBIDDEN})
_TOKEN_SHAPES = ("s.", "hvs.", "b.", "hvb.", "r.", "hvr.")

# The key of the configuration that holds a method's secret, without `_file` or `_env`.
_SECRETS = {
    "token": "token", "approle": "secret_id", "kubernetes": "jwt", "jwt": "jwt",
    "userpass": "password",
}  # fmt: skip
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
    if isinstance(server.auth, auth.CertAuthSettings):
        file, env = server.client_key_file or server.client_cert_file, None
    else:
        key = _SECRETS.get(server.auth.method)
        file, env = (getattr(server.auth, f"{key}_{kind}", None) for kind in ("file", "env"))
    return SecretInput(file, env) if file or env else None


def log_in(server: Server, connection: Connection, clock: Clock, patience: Patience) -> Token:
    """Log in with the secret read now; `LoginRejectedError` where the server refuses the secret."""
    if isinstance(server.auth, auth.AgentAuthSettings):
        return Token()
    text, what = None, "cannot log in ({path})"
    if isinstance(server.auth, auth.TokenAuthSettings):
        text = SecretInput(server.auth.token_file, server.auth.token_env).read()
        what = f"cannot use the token from {server.auth.token_file or server.auth.token_env}"
    ask = _asked(server, connection)
    now = clock()
    answer = patience.answer(lambda: connection.send(ask, what, server.namespace, text))
    if text is not None:
        return _given(answer, text, now)
    if not answer.response.ok:
        raise _not_logged_in(server, connection, answer)
    return _granted(answer, now)


def renew(
    server: Server, token: Token, connection: Connection, clock: Clock, patience: Patience
) -> Token:
    """Return the token with a later end, or as it is where the server does not lengthen it."""
    if not token.renewable:
        return token
    now, what = clock(), "cannot renew the login token"
    answer = patience.answer(
        lambda: connection.send(
            lambda vault: vault.auth.token.renew_self(), what, server.namespace, token.text
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


def _not_logged_in(server: Server, connection: Connection, answer: Answer) -> Exception:
    error, method = answer.error(), server.auth
    if isinstance(error, TemporaryError):
        return error
    if answer.status == NOT_FOUND:
        hint = "correct `mount` (vault auth list), or set `namespace`"
        return PermanentError(Reason.NOT_FOUND, error.detail, hint)
    if answer.status not in _REFUSED:
        return error
    given = secret_input(server) if method.method == "approle" else None
    if given and is_wrapping_token(connection, given.read(), server.namespace):
        where = given.file or f"${given.env}"
        detail = f"{error.detail}: {where} holds a wrapping token, not the secret id itself"
        return LoginRejectedError(detail, unwrap_hint(given))
    hint = _HINTS[method.method].format(mount=getattr(method, "mount", ""))
    if answer.status == FORBIDDEN:
        # The server says no more than that, also where nothing is mounted.
        hint += "; or correct `mount` or `namespace` if this login is elsewhere"
    return LoginRejectedError(error.detail, hint)


def _given(answer: Answer, text: Secret, now: datetime) -> Token:
    """Return what the server says of a token that somebody else made."""
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
    data = answer.data
    token = _token(text, data, data.get("ttl"), now)
    return replace(
        token,
        ttl=duration(data.get("creation_ttl")),
        uses=whole_number(data.get("num_uses")),
        periodic=bool(data.get("period")),
        batch=data.get("type") == "batch",
    )


def _granted(answer: Answer, now: datetime) -> Token:
    auth = object_in(answer.document.get("auth"))
    text = auth.get("client_token")
    if not isinstance(text, str) or not text:
        raise PermanentError(
            Reason.MALFORMED,
            f"{answer.what}: the answer holds no token",
            "use a role without multi-factor authentication",
        )
    token = _token(Secret(text), auth, auth.get("lease_duration"), now)
    return replace(token, batch=auth.get("token_type") == "batch")


def _token(text: Secret, data: Mapping[str, Any], left: Any, now: datetime) -> Token:
    ttl = duration(left)
    end = now + ttl if ttl else None
    policies = tuple(map(str, list_in(data.get("policies"))))
    return Token(text, bool(data.get("renewable")), ttl, end, policies=policies)


def _asked(server: Server, connection: Connection) -> Ask:
    """Return what asks for a login, or about a token; the secret is read now."""
    method = server.auth
    if isinstance(method, auth.TokenAuthSettings | auth.AgentAuthSettings):
        return lambda vault: vault.auth.token.lookup_self()
    given = secret_input(server)
    secret = given.read() if given and not isinstance(method, auth.CertAuthSettings) else None
    mount = method.mount
    there = {"mount_point": mount, "use_token": False}
    match method:
        case auth.ApproleAuthSettings(role_id=role_id):
            return lambda vault: vault.auth.approle.login(role_id, secret, **there)
        case auth.KubernetesAuthSettings(role=role):
            return lambda vault: vault.auth.kubernetes.login(role, secret, **there)
        case auth.JwtAuthSettings(role=role):
            return lambda vault: vault.auth.jwt.jwt_login(role, secret, path=mount, use_token=False)
        case auth.UserpassAuthSettings(username=name):
            return lambda vault: vault.auth.userpass.login(quote(name), secret, **there)
        case auth.CertAuthSettings():
            # hvac's method reads certificate files again; the connection shows the certificate.
            fields: dict[str, str | Secret] = {"name": method.role} if method.role else {}
        case _:
            # hvac's method signs for the global STS alone.
            signed_identity = load("rotator.vault.aws_identity").signed_identity  # botocore is slow
            fields, hidden = signed_identity(method)
            connection.hide(hidden)
            if method.role:
                fields["role"] = method.role
    return lambda vault: vault.adapter.login(
        f"v1/auth/{quote(mount)}/login", use_token=False, json=fields
    )
