"""A Kubernetes API server for ConfigMaps and Secrets, as far as its clients can see.

It speaks HTTP (HTTPS where it gets a TLS context), holds state, and decides like the real one: who
is asking (bearer token or client certificate), whether a Role allows it, whether the object may be
like that. `kubernetes_objects` and `kubernetes_rules` hold what is about objects.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from tests.fakes.kubernetes_objects import Objects
from tests.fakes.kubernetes_rbac import Account, Manifest, forbidden, review
from tests.fakes.kubernetes_rules import KINDS, Body, StatusError
from tests.fakes.loopback import Handler, Loopback

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

ADMIN = "s3cr3t-admin-token"
LARGEST_REQUEST = 3 * 1024 * 1024
MERGE, APPLY = "application/merge-patch+json", "application/apply-patch+yaml"
_EVERYTHING = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
VERBS = {"GET": "get", "POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@dataclass(frozen=True)
class Call:
    """One request that was understood: who wanted what with which object."""

    user: str
    verb: str
    plural: str
    name: str
    dry: bool = False


@dataclass(frozen=True)
class Canned:
    """An answer given in place of the real one."""

    code: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


class FakeKubernetes(Loopback):
    """The server. Used as a context manager it serves until the end of the block."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.objects = Objects()
        self.tokens = {ADMIN: Account("admin", ((None, _EVERYTHING),))}
        self.certificates: dict[str, Account] = {}
        self.calls: list[Call] = []
        self.headers: list[tuple[str, str]] = []
        """Those of the last request, as often as they came."""
        self.path = ""
        """What the last request asked for, as it came."""
        self.canned: deque[Canned] = deque()
        self.deny: str | None = None
        """What an admission policy says against every change."""
        self._answering = threading.Event()
        self._answering.set()
        self._tls = tls is not None
        self.serve(_Handler, tls=tls)

    def stop(self) -> None:
        """Stop serving, as often as one likes: from now on connections are refused."""
        self._answering.set()
        super().stop()

    def hang(self) -> None:
        """Take requests, and answer none until the end."""
        self._answering.clear()

    def allow(
        self, token: str, user: str, rules: Iterable[Mapping[str, Any]], namespace: str | None
    ) -> Account:
        """Let the bearer of this token do what the rules of a Role allow; return the account."""
        self.tokens[token] = Account(user, tuple((namespace, rule) for rule in rules))
        return self.tokens[token]

    def apply_manifest(self, text: str) -> dict[str, str]:
        """Take namespaces, service accounts, Roles and their bindings; return tokens by account.

        Everything else in the manifest is left alone.
        """
        manifest = Manifest(text)
        for namespace in manifest.namespaces:
            self.objects.namespaces[namespace] = "Active"
        tokens = {}
        for name, account in manifest.accounts.items():
            tokens[name] = f"s3cr3t-token-{name}"
            self.tokens[tokens[name]] = account
        return tokens

    def kubeconfig(
        self,
        path: Path,
        *,
        token: str = ADMIN,
        context: str = "fake",
        user: Mapping[str, Any] | None = None,
        cluster: Mapping[str, Any] | None = None,
    ) -> Path:
        """Write a kubeconfig with this context, and another one that leads nowhere."""
        # No certificate is shown over plain HTTP: loading the system's takes 20 ms a client.
        here = {"server": self.url, "insecure-skip-tls-verify": not self._tls, **(cluster or {})}
        nowhere = {"server": "http://127.0.0.1:1", "insecure-skip-tls-verify": True}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": context,
            "clusters": [
                {"name": "fake", "cluster": here},
                {"name": "nowhere", "cluster": nowhere},
            ],
            "users": [{"name": "someone", "user": dict(user or {"token": token})}],
            "contexts": [
                {"name": context, "context": {"cluster": "fake", "user": "someone"}},
                {"name": "nowhere", "context": {"cluster": "nowhere", "user": "someone"}},
            ],
        }
        path.write_text(yaml.safe_dump(config))
        return path

    def writes(self) -> int:
        """Return how many requests wanted to change something."""
        changing = ("create", "patch", "update", "delete")
        return sum(call.verb in changing and not call.dry for call in self.calls)

    def answer(self, request: _Handler) -> tuple[int, Body]:
        """Return status and body for a request, or raise a `StatusError`."""
        self.headers, self.path = list(request.headers.items()), request.path
        account = self._who(request)
        target = urlsplit(request.path)
        if target.path == _REVIEWS:
            return 201, review(account, json.loads(request.document()))
        match target.path.strip("/").split("/"):
            case ["api", "v1", "namespaces", namespace, plural, *rest] if plural in KINDS:
                name = rest[0] if rest else ""
            case ["api", "v1", "namespaces"] if request.command == "GET":
                self._authorize(account, "list", "namespaces", "", "")
                return 200, self._listed(parse_qs(target.query))
            case ["api", "v1", "namespaces", *names] if account.may("*", "*", "*", "*"):
                return self._namespace(request, names)
            case _:
                message = "the server could not find the requested resource"
                raise StatusError(404, "NotFound", message, {})
        query = {key: values[0] for key, values in parse_qs(target.query).items()}
        dry = query.get("dryRun") == "All"
        self._authorize(account, VERBS[request.command], plural, namespace, name, dry=dry)
        if request.command == "GET":
            return 200, self.objects.get(plural, namespace, name)
        if request.command == "DELETE":
            self.objects.delete(plural, namespace, name)
            return 200, {"kind": "Status", "apiVersion": "v1", "status": "Success"}
        if self.deny:
            raise StatusError(403, "Forbidden", self.deny, {"name": name, "kind": plural})
        with self.objects.dry_run(dry=dry):
            return self._change(request, account, query, (plural, namespace, name))

    def _listed(self, query: Mapping[str, list[str]]) -> Body:
        """Return a page of namespaces; `continue` is the place where the next one begins."""
        found = self.objects.in_namespaces(query.get("labelSelector", [""])[0])
        first, size = int(query.get("continue", ["0"])[0]), int(query.get("limit", ["500"])[0])
        rest = {"continue": str(first + size)} if first + size < len(found) else {}
        items = found[first : first + size] or None  # as Go writes a list without any
        return {"kind": "PartialObjectMetadataList", "metadata": rest, "items": items}

    def _change(
        self, request: _Handler, account: Account, query: Mapping[str, str], key: tuple[str, ...]
    ) -> tuple[int, Body]:
        plural, namespace, name = key
        body = json.loads(request.document())
        content_type = request.headers.get("Content-Type", "")
        manager = query.get("fieldManager", request.headers.get("User-Agent", "").split("/")[0])
        if request.command == "POST":
            return 201, self.objects.create(plural, namespace, body, manager)
        if request.command == "PUT":
            return 200, self.objects.replace(plural, namespace, name, body, manager)
        if content_type == MERGE:
            return 200, self.objects.patch(plural, namespace, name, body, manager)
        if content_type != APPLY:
            raise StatusError(415, "UnsupportedMediaType", "the body of the request was in", {})
        if key not in self.objects.stored:
            self._authorize(account, "create", plural, namespace, name)
        force = query.get("force") == "true"
        return 200, self.objects.apply(plural, namespace, name, body, manager, force=force)

    def _namespace(self, request: _Handler, names: list[str]) -> tuple[int, Body]:
        """Make or remove a namespace, whoever may do everything."""
        if request.command == "POST":
            names = [json.loads(request.document())["metadata"]["name"]]
            self.objects.namespaces[names[0]] = "Active"
        elif request.command == "DELETE":
            self.objects.remove_namespace(names[0])
        return 200, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": names[0]}}

    def _who(self, request: _Handler) -> Account:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme == "Bearer":
            account = self.tokens.get(token)
        else:
            anonymous = Account("system:anonymous")
            account = self.certificates.get(request.common_name(), anonymous)
        if account is None:
            raise StatusError(401, "Unauthorized", "Unauthorized")
        wanted = request.headers.get("Impersonate-User")
        if wanted is None:
            return account
        if not account.may("impersonate", "users", "", wanted):
            raise forbidden(account, "impersonate", "users", "", wanted)
        known = (one for one in self.tokens.values() if one.user == wanted)
        return next(known, Account(wanted))

    def _authorize(
        self,
        account: Account,
        verb: str,
        plural: str,
        namespace: str,
        name: str,
        *,
        dry: bool = False,
    ) -> None:
        self.calls.append(Call(account.user, verb, plural, name, dry))
        if not account.may(verb, plural, namespace, name):
            raise forbidden(account, verb, plural, namespace, name)

    def wait(self) -> None:
        """Hold a request while the server hangs."""
        self._answering.wait(60)


class _Handler(Handler):
    fake: FakeKubernetes

    def document(self) -> bytes:
        """Return the request's body; 413 where it is larger than an API server takes."""
        if len(self.data) > LARGEST_REQUEST:
            message = f"Request entity too large: limit is {LARGEST_REQUEST}"
            raise StatusError(413, "RequestEntityTooLarge", message, {})
        return self.data

    def common_name(self) -> str:
        """Return whom the client certificate names, an empty text without one."""
        certificate: Any = getattr(self.connection, "getpeercert", dict)() or {}
        names = dict(pair for group in certificate.get("subject", ()) for pair in group)
        return str(names.get("commonName", ""))

    def _serve(self) -> None:
        fake = self.fake
        fake.wait()
        # Read in any case: closing a connection with something unread in it loses the answer.
        self.data = self.body()
        if fake.canned:
            canned = fake.canned.popleft()
            return self.send(canned.code, canned.body.encode(), canned.headers)
        try:
            code, body = fake.answer(self)
        except StatusError as error:
            code, body = error.code, error.body
        return self.send(code, json.dumps(body).encode(), {"Content-Type": "application/json"})

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815  the names http.server calls


@pytest.fixture
def fake_kubernetes() -> Iterator[FakeKubernetes]:
    """Give a cluster of its own to a test."""
    with FakeKubernetes() as fake:
        yield fake
