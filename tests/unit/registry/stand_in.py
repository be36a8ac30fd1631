"""A registry that answers what a test says, and notes what it was asked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from rotator.core.model import Credential, Secret
from tests.fakes.loopback import Handler, Loopback
from tests.support import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "s3cr3t-of-ci"
PAGE = b"<!DOCTYPE html><title>Access denied</title>"
Replied = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    authorization: str
    form: dict[str, str]
    cookie: str | None


class Registry(Loopback):
    """Answers what `respond` says to a path and an authorization."""

    def __init__(self) -> None:
        self.respond: Callable[[str, str], Replied] = basic(200)
        self.requests: list[Asked] = []
        self.serve(_Handler)

    @property
    def asked(self) -> list[tuple[str, str]]:
        """Path and authorization of each request."""
        return [(one.path, one.authorization) for one in self.requests]

    def saw_login(self) -> bool:
        """Tell whether any request had credentials."""
        return any(one.authorization or one.form for one in self.requests)


class _Handler(Handler):
    fake: Registry

    def do_GET(self) -> None:
        """Answer what the test says."""
        form = dict(parse_qsl(self.body().decode()))
        authorization = self.headers.get("Authorization", "")
        cookie = self.headers.get("Cookie")
        asked = Asked(self.command, self.path, authorization, form, cookie)
        self.fake.requests.append(asked)
        status, headers, body = self.fake.respond(self.path, authorization)
        self.send(status, body, headers)

    def do_POST(self) -> None:
        """Answer what the test says."""
        self.do_GET()


def basic(
    status: int, body: bytes = b"", headers: dict[str, str] | None = None
) -> Callable[[str, str], Replied]:
    """Challenge with Basic; answer an offered credential with this."""
    challenge = {"WWW-Authenticate": 'Basic realm="tests"'}
    return lambda _, authorization: (
        (status, headers or {}, body) if authorization else (401, challenge, b"")
    )


def bearer(parameters: str) -> Replied:
    """Challenge with Bearer."""
    return 401, {"WWW-Authenticate": f"Bearer {parameters}"}, b""


def errors(code: str = "DENIED", message: str = "no") -> bytes:
    """Return a registry's error document."""
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


def credential(registry: str, username: str = "ci", password: str = SECRET) -> Credential:
    """Return a login for this registry."""
    return Credential(registry, username, Secret(password), NOW)
