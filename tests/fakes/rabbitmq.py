"""RabbitMQ's management API as far as Vault's engine uses it: users that come and go."""

from __future__ import annotations

import json

from tests.fakes.loopback import Handler, Loopback


class RabbitMq(Loopback):
    """`users` maps each user there is to its password."""

    def __init__(self) -> None:
        self.users: dict[str, str] = {}
        self.made = 0
        self.serve(_Handler)


class _Handler(Handler):
    fake: RabbitMq

    def do_PUT(self) -> None:
        document = json.loads(self.body() or b"{}")
        kind, _, name = self.path.removeprefix("/api/").partition("/")
        if kind == "users":
            self.fake.users[name] = document["password"]
            self.fake.made += 1
        self.send(201)

    def do_DELETE(self) -> None:
        self.fake.users.pop(self.path.removeprefix("/api/users/"), None)
        self.send(204)
