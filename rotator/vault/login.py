"""The ways to log in, and the token that comes of it.

Every method but `token` is one POST to `auth/MOUNT/login`.
https://developer.hashicorp.com/vault/api-docs/auth
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, assert_never

from msgspec import Struct
from msgspec.structs import replace

from rotator.config import vault_auth as auth
from rotator.core.errors import LoginRejectedError, PermanentError, Reason
from rotator.core.model import Secret
from rotator.decoding import load
from rotator.system.secret_input import SecretInput
from rotator.vault.answers import FORBIDDEN, NOT_FOUND, token_is_bad, whole_number

if TYPE_CHECKING:
    from datetime import datetime

    from rotator.core.ports import Clock
    from rotator.vault.connection import Connection, VaultSettings

_REJECTED = frozenset({400, 401, FORBIDDEN})

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

    `uses`: how often it can still be used, 0 where that is not counted. `periodic`: renewals never
    run into a last end. `policies` is None where the token may not look at itself.
    """

    renewable: bool = False
    ttl: timedelta | None = None
    expires_at: datetime | None = None
    uses: int = 0
    periodic: bool = False
    policies: tuple[str, ...] | None = None


def secret_input(settings: VaultSettings) -> SecretInput | None:
    """Return where the secret that logs in stands; None where no file or variable holds it."""
    method = settings.auth
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
            file, env = settings.client_key_file or settings.client_cert_file, None
        case auth.AwsAuthSettings():
            file, env = None, None
        case _:
            assert_never(method)
    return SecretInput(file, env) if file or env else None


def log_in(settings: VaultSettings, connection: Connection, clock: Clock) -> Token:
    """Log in with the secret read anew; the connection uses the token from now on.

    Raises `LoginRejectedError` where the server refuses the secret itself, `PermanentError` where
    it can't be read, and what a request raises.
    """
    if isinstance(settings.auth, auth.TokenAuthSettings):
        return _look_up(settings.auth, connection, clock)
    method = settings.auth.method
    path, body, hidden = _request(settings)
    connection.hide(hidden)
    what = f"cannot log in ({path})"
    now = clock()
    response = connection.send(what, "POST", path, body)
    if response.status_code in _REJECTED:
        hint = _HINTS[method].format(mount=settings.auth.mount)
        if response.status_code == FORBIDDEN:
            # The server says no more than that, also where nothing is mounted.
            hint += "; or correct `mount` or `namespace` if this login is elsewhere"
        raise LoginRejectedError(connection.refusal(response, what).detail, hint)
    if response.status_code == NOT_FOUND:
        raise PermanentError(
            Reason.NOT_FOUND,
            connection.refusal(response, what).detail,
            "correct `mount` (vault auth list), or set `namespace`",
        )
    if not response.ok:
        raise connection.refusal(response, what)
    return _granted(connection, connection.document(response, what), what, now)


def renew(token: Token, connection: Connection, clock: Clock) -> Token:
    """Return the token with a later end, or as it is where the server does not lengthen it."""
    if not token.renewable:
        return token
    what = "cannot renew the login token"
    now = clock()
    response = connection.send(what, "POST", "auth/token/renew-self", {})
    if response.status_code in _REJECTED:
        return token
    if not response.ok:
        raise connection.refusal(response, what)
    renewed = _granted(connection, connection.document(response, what), what, now)
    return replace(renewed, ttl=token.ttl, periodic=token.periodic)


def _look_up(method: auth.TokenAuthSettings, connection: Connection, clock: Clock) -> Token:
    connection.use(SecretInput(method.token_file, method.token_env).read())
    what = f"cannot use the token from {method.token_file or method.token_env}"
    now = clock()
    response = connection.send(what, "GET", "auth/token/lookup-self")
    if response.status_code == FORBIDDEN:
        if token_is_bad(response):
            raise LoginRejectedError(
                f"{connection.refusal(response, what).detail}: it is wrong, expired or revoked",
                "put a good one there, such as: vault token create -period=24h -policy=NAME",
            )
        # Its policies don't let it look at itself. It may still read; its end is not known then.
        return Token()
    if not response.ok:
        raise connection.refusal(response, what)
    data = connection.document(response, what).get("data")
    data = data if isinstance(data, Mapping) else {}
    left = _seconds(data.get("ttl"))
    whole = _seconds(data.get("creation_ttl"))
    return Token(
        bool(data.get("renewable")),
        whole,
        now + left if left else None,
        uses=whole_number(data.get("num_uses")),
        periodic=bool(data.get("period")),
        policies=_names(data.get("policies")),
    )


def _granted(
    connection: Connection, document: Mapping[str, Any], what: str, now: datetime
) -> Token:
    auth = document.get("auth")
    auth = auth if isinstance(auth, Mapping) else {}
    text = auth.get("client_token")
    if not isinstance(text, str) or not text:
        raise PermanentError(
            Reason.MALFORMED,
            f"{what} at {connection.server}: the answer holds no token",
            "use a role without multi-factor authentication",
        )
    connection.use(Secret(text))
    ttl = _seconds(auth.get("lease_duration"))
    end = now + ttl if ttl else None
    policies = _names(auth.get("policies"))
    return Token(bool(auth.get("renewable")), ttl, end, policies=policies)


def _request(
    settings: VaultSettings,
) -> tuple[str, Mapping[str, str | Secret], Sequence[Secret]]:
    """Return the path and the body of a login, and what else is secret in it."""
    method = settings.auth
    path = f"auth/{method.mount}/login"
    given = secret_input(settings)
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
            identity, hidden = signed_identity(method.region)
            return path, {**_role("role", method.role), **identity}, hidden
        case auth.TokenAuthSettings():
            raise TypeError("a token needs no login")
        case _:
            assert_never(method)


def _role(key: str, role: str | None) -> dict[str, str | Secret]:
    return {key: role} if role else {}


def _names(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _seconds(value: Any) -> timedelta | None:
    count = whole_number(value)
    return timedelta(seconds=count) if count else None
