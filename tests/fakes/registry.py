"""A registry that asks for a login and holds no image: enough to prove a credential at."""

from __future__ import annotations

import base64

from tests.fakes.loopback import Handler, Loopback


class BasicRegistry(Loopback):
    """Accepts the logins in `passwords` (user: password) at `/v2/`; change them while it runs.

    `blocked`: the page with which a proxy in front of it refuses every login (empty: none does).
    """

    def __init__(self, passwords: dict[str, str], port: int = 0) -> None:
        self.passwords = passwords
        self.blocked = ""
        self.serve(_Handler, port)


class _Handler(Handler):
    fake: BasicRegistry

    def do_GET(self) -> None:
        """Answer 200 to a login that is accepted, else 401 with the challenge."""
        _, _, login = self.headers.get("Authorization", "").partition(" ")
        user, _, password = base64.b64decode(login).decode().partition(":")
        good = bool(user) and self.fake.passwords.get(user) == password
        blocked = self.fake.blocked if user else ""
        status = 403 if blocked else 200 if good else 401
        challenge = {"WWW-Authenticate": 'Basic realm="registry"'}
        self.send(status, (blocked or "{}").encode(), challenge)
