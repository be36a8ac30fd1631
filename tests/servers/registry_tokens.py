"""A token service for a real registry: what sits behind a `Bearer` challenge."""

from __future__ import annotations

import base64
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from tests.fakes.loopback import Handler, Loopback

SERVICE = "rotator-tests"
ISSUER = "rotator-tests-issuer"


class TokenService(Loopback):
    """Gives registry tokens (RS256, its certificate in `x5c`) to users with the right password."""

    def __init__(self, passwords: dict[str, str]) -> None:
        self.passwords = passwords
        self.identity_tokens: dict[str, str] = {}
        """The user of each identity token."""
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        certificate = _self_signed(self._key)
        self.certificate_pem = certificate.public_bytes(serialization.Encoding.PEM)
        self._x5c = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()
        self.serve(_TokenHandler)
        self.realm = f"{self.url}/token"

    def token(self, user: str, scopes: list[str]) -> str:
        """Return a token for the user, good for five minutes and for every scope asked for."""
        now = datetime.now(UTC)
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        payload: dict[str, Any] = {
            "iss": ISSUER,
            "aud": SERVICE,
            "sub": user,
            "iat": now,
            "nbf": now - timedelta(seconds=10),
            "exp": now + timedelta(minutes=5),
            "jti": uuid.uuid4().hex,
            "access": access,
        }
        return jwt.encode(payload, self._key, "RS256", headers={"x5c": [self._x5c]})


class _TokenHandler(Handler):
    fake: TokenService

    def do_GET(self) -> None:
        """Answer with a token, or 401."""
        query = parse_qs(urlsplit(self.path).query)
        login = self.headers.get("Authorization", "")
        user = next(
            (user for user, word in self.fake.passwords.items() if basic(user, word) == login), None
        )
        if user is None or query.get("service") != [SERVICE]:
            errors = {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}
            return self._send(401, errors)
        scopes = [one for text in query.get("scope", []) for one in text.split()]
        return self._send(200, {"token": self.fake.token(user, scopes), "expires_in": 300})

    def do_POST(self) -> None:
        """Exchange an identity token for a token, as OAuth2 has it."""
        form = parse_qs(self.body().decode())
        if form.get("grant_type") != ["refresh_token"] or form.get("service") != [SERVICE]:
            return self._send(400, {"error": "invalid_request"})
        user = self.fake.identity_tokens.get(form["refresh_token"][0])
        if user is None:
            return self._send(400, {"error": "invalid_grant"})
        return self._send(200, {"access_token": self.fake.token(user, []), "expires_in": 300})

    def _send(self, status: int, document: object) -> None:
        self.send(status, json.dumps(document).encode(), {"Content-Type": "application/json"})


def basic(user: str, password: str) -> str:
    """Return the `Authorization` header of this login."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _self_signed(key: rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ISSUER)])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
