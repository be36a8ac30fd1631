"""A GitLab over real HTTP that keeps GitLab's rules, for the real python-gitlab.

By hand: `python -m tests.fakes.gitlab --port 8929` prints the address and an access token.
"""

from __future__ import annotations

import argparse
import json
import re
import socket
import ssl
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from tests.fakes.gitlab_access import OWNER, Body, RefusalError, Token
from tests.fakes.gitlab_rules import GitlabRules
from tests.fakes.loopback import Handler, Loopback

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PREFIX = "/api/v4"
RATE_LIMIT = 2000
PER_PAGE = 20


@dataclass(frozen=True)
class Answer:
    """What goes out over HTTP."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def of(status: int, body: object, **headers: str) -> Answer:
        """Return an answer in JSON."""
        kind = {"Content-Type": "application/json"}
        return Answer(status, json.dumps(body).encode(), {**kind, **headers})


@dataclass(frozen=True)
class Call:
    """One request that came in, without its token."""

    method: str
    path: str
    query: dict[str, list[str]]
    body: Body


class FakeGitlab(Loopback, GitlabRules):
    """The rules behind HTTP, with counters and with switches that make it fail.

    `tls_file` holds its key and certificate.
    """

    def __init__(self, port: int = 0, tls_file: Path | None = None) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.connections = 0
        self.alive: set[socket.socket] = set()
        self.latency = 0.0
        self.failing: Answer | None = None
        """While set, every request gets this answer."""
        self.loses_rotations = False
        """While true, a token is rotated and a proxy loses the answer."""
        self.silent = False
        """While true, requests are taken and never answered."""
        self.lock = threading.Lock()
        context = None
        if tls_file is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls_file)
        self.serve(_Handler, port, context)

    def stop(self) -> None:
        """End, together with all requests that wait for an answer; more than once is fine."""
        super().stop()
        for connection in list(self.alive):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def count(self, method: str = "", path: str = "") -> int:
        """Return how many requests had this method and this in their path (unquoted)."""
        return sum(method in ("", call.method) and path in call.path for call in self.calls)

    def counts(self) -> Counter[tuple[str, str]]:
        """Return the number of requests by method and path."""
        return Counter((call.method, call.path) for call in self.calls)

    def throttle(self, retry_after: str | None, body: str = "Retry later\n") -> None:
        """Answer 429 in plain text, as GitLab's rate limiter does."""
        headers = {"Content-Type": "text/plain"}
        if retry_after is not None:
            headers["Retry-After"] = retry_after
        self.failing = Answer(429, body.encode(), headers)

    def answer(self, call: Call, token: str | None) -> Answer:
        """Return the answer to a request."""
        if self.failing is not None:
            return self.failing
        try:
            return self._route(call, token)
        except RefusalError as refusal:
            return Answer.of(refusal.status, refusal.body)

    def _route(self, call: Call, text: str | None) -> Answer:  # noqa: PLR0911  one a route
        if not call.path.startswith(PREFIX):
            return Answer(404, b"<html>404</html>", {"Content-Type": "text/html"})
        parts = [unquote(part) for part in call.path.removeprefix(PREFIX).strip("/").split("/")]
        if call.method == "POST" and parts[-2:] == ["self", "rotate"]:
            return self._rotate(call, text, parts)
        token = self.authenticate(text)
        self.need_open("")
        match parts:
            case ["personal_access_tokens", "self"]:
                self.need_permission(token, "read_personal_access_token", "user")
                return Answer.of(200, token.shown(self.today))
            case ["user"]:
                self.need_permission(token, "read_user", "user")
                name = f"{token.bot}_bot_0123456789abcdef" if token.bot else "somebody"
                return Answer.of(200, {"username": name, "bot": bool(token.bot)})
            case ["admin", "ci", "variables", *key]:
                return self._variables(call, token, "instance", "", key)
            case ["groups" | "projects" as kinds, name, "variables", *key]:
                return self._variables(call, token, kinds[:-1], name, key)
        return self._browse(call, token, parts)

    def _rotate(self, call: Call, text: str | None, parts: list[str]) -> Answer:
        """A group's or project's access token is rotated where it belongs, others as a person's."""
        end = call.body.get("expires_at")
        token = next((one for one in self._tokens if one.text == text), None)
        place = "" if parts[0] == "personal_access_tokens" else f"{parts[0][:-1]}_{parts[1]}"
        if token is not None and not token.revoked and token.bot != place:
            return Answer.of(404, {"message": "404 Not Found"})
        answer = Answer.of(200, self.rotate(text, date.fromisoformat(end) if end else None))
        if self.loses_rotations:
            return Answer(502, b"<html>502</html>", {"Content-Type": "text/html"})
        return answer

    def _browse(self, call: Call, token: Token, parts: list[str]) -> Answer:
        self.need_scope(token, "api", "read_api")
        match parts:
            case ["groups" | "projects" as kinds, name]:
                return Answer.of(200, self.open(token, kinds[:-1], name).shown())
            case ["groups", name, "projects" | "subgroups" | "descendant_groups" as what]:
                group = self.open(token, "group", name)
                everything = what == "descendant_groups" or "include_subgroups" in call.query
                kind = "project" if what == "projects" else "group"
                self.need_permission(token, f"read_{kind}", group.path)
                found = self.below(group, kind, direct=not everything)
                return self._page(call, [one.shown() for one in found])
        return Answer.of(404, {"error": "404 Not Found"})

    def _variables(self, call: Call, token: Token, kind: str, name: str, key: list[str]) -> Answer:
        self.need_scope(token, *(("api", "read_api") if call.method == "GET" else ("api",)))
        space = self.open(token, kind, name, to_variables=True)
        action = {"GET": "read", "POST": "create", "PUT": "update"}.get(call.method, "delete")
        self.need_permission(token, f"{action}_variable", space.path or "instance")
        scope = call.query.get("filter[environment_scope]", [None])[0]
        match call.method, key:
            case "GET", []:
                return self._page(call, [variable.shown() for variable in space.variables])
            case "POST", []:
                return Answer.of(201, self.create(space, call.body).shown())
            case "GET", [one]:
                return Answer.of(200, self.find(space, one, scope).shown())
            case "PUT", [one]:
                return Answer.of(200, self.update(space, one, scope, call.body).shown())
            case "DELETE", [one]:
                self.delete(space, one, scope)
                return Answer(204, b"")
        return Answer.of(405, {"error": "405 Not Allowed"})

    def _page(self, call: Call, items: list[Body]) -> Answer:
        size = int(call.query.get("per_page", [str(PER_PAGE)])[0])
        page = int(call.query.get("page", ["1"])[0])
        more = len(items) > page * size
        headers = {
            "X-Page": str(page),
            "X-Per-Page": str(size),
            "X-Total": str(len(items)),
            "X-Next-Page": str(page + 1) if more else "",
        }
        if more:
            address = f"{self.url}{call.path}?page={page + 1}&per_page={size}"
            headers["Link"] = f'<{address}>; rel="next"'
        return Answer.of(200, items[(page - 1) * size : page * size], **headers)


class _Handler(Handler):
    """Takes one connection's requests."""

    fake: FakeGitlab

    def handle(self) -> None:
        self.fake.connections += 1
        self.fake.alive.add(self.connection)
        with suppress(OSError):  # the client may leave at any time
            super().handle()
        self.fake.alive.discard(self.connection)

    def answer(self) -> None:
        gitlab = self.fake
        address = urlsplit(self.path)
        body = self.body()
        call = Call(
            self.command, address.path, parse_qs(address.query), json.loads(body) if body else {}
        )
        bearer = re.sub("^Bearer ", "", self.headers.get("Authorization", ""))
        token = self.headers.get("PRIVATE-TOKEN") or bearer or None
        time.sleep(gitlab.latency)
        with gitlab.lock:
            gitlab.calls.append(call)
            answer = gitlab.answer(call, token)
            left = max(0, RATE_LIMIT - len(gitlab.calls))
        if gitlab.silent:
            gitlab.closing.wait()
            self.close_connection = True
            return
        used = {"RateLimit-Limit": str(RATE_LIMIT), "RateLimit-Remaining": str(left)}
        self.send(answer.status, answer.body, {**used, **answer.headers})

    do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815  names that http.server looks for


@pytest.fixture
def fake_gitlab() -> Iterator[FakeGitlab]:
    """Give a GitLab of its own to a test; it takes a millisecond to start."""
    with FakeGitlab() as server:
        yield server


def main() -> None:
    """Serve one group and one project until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--group", default="platform")
    parser.add_argument("--project", default="platform/app")
    options = parser.parse_args()
    with FakeGitlab(options.port) as server:
        server.add_group(options.group)
        server.add_project(options.project)
        token = server.add_token({options.group: OWNER})
        print(json.dumps({"url": server.url, "token": token.text}), flush=True)  # noqa: T201  its output
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
