"""A stand-in for ECR and ECR Public that keeps their rules: signatures, expiry, errors.

It is an API and a registry at one address: `GetAuthorizationToken` gives tokens to whoever signs
the request with a key it knows, and `/v2/` takes these tokens until they expire, as a registry's
`/v2/` does. By hand: `python -m tests.fakes.ecr --port 4566`.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import secrets
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

from tests.fakes.loopback import Handler, Loopback
from tests.fakes.sigv4 import RefusalError, check_signature

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pytest

ACCOUNT = "123456789012"
ACCESS_KEY = "AKIDROTATORTESTS"
SECRET_KEY = "s3cr3t-aws-access-key"
WHO = f"arn:aws:sts::{ACCOUNT}:assumed-role/ci/rotator"

_TARGETS = {
    "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken": "ecr",
    "SpencerFrontendService.GetAuthorizationToken": "ecr-public",
}


@dataclass
class FakeEcr(Loopback):
    """One ECR endpoint. Change its fields while it runs; `tokens` and `calls` tell what it did.

    `keys` maps access key ids to secret keys and, where there is one, session tokens; `look_up`
    is asked for those that are not there. `offset` is how far its clock is ahead of ours.
    `registry` is the host that `proxyEndpoint` names (default: itself). `on_token` learns each
    token's user, password and end, to make it valid somewhere else. `trouble` is what goes wrong:
    a `RefusalError`, or `garbage`, `html`, `hang`, `no_token`, `not_base64`, `no_colon` or
    `no_expiry`.
    """

    port: int = 0
    registry: str = ""
    lifetime: timedelta = timedelta(hours=12)
    offset: timedelta = timedelta()
    on_token: Callable[[str, str, datetime], None] | None = None
    look_up: Callable[[str], tuple[str, str] | None] = lambda _: None
    trouble: RefusalError | str = ""
    keys: dict[str, tuple[str, str]] = field(default_factory=lambda: {ACCESS_KEY: (SECRET_KEY, "")})
    calls: int = 0
    proofs: int = 0
    signers: list[str] = field(default_factory=list)
    tokens: dict[str, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Listen; answer from `__enter__` on."""
        self._lock = threading.Lock()
        self.serve(_Handler, self.port)

    def now(self) -> datetime:
        """Return its clock."""
        return datetime.now(UTC) + self.offset

    def end_tokens(self) -> None:
        """Let all tokens expire now."""
        with self._lock:
            self.tokens = dict.fromkeys(self.tokens, self.now())

    def answer(self, service: str) -> dict[str, object]:
        """Return what GetAuthorizationToken answers, with a new token in it."""
        if self.trouble == "no_token":
            return {"authorizationData": [] if service == "ecr" else None}
        # As long as real ones, and different in the 72 bytes that bcrypt looks at.
        password = f"s3cr3t-{secrets.token_hex(24)}-" + "x" * 1800
        end = self.now() + self.lifetime
        with self._lock:
            self.tokens[password] = end
        if self.on_token:
            self.on_token("AWS", password, end)
        texts = {"not_base64": "s3cr3t-not*base64", "no_colon": _base64("s3cr3t-no-colon")}
        data: dict[str, object] = {
            "authorizationToken": texts.get(str(self.trouble), _base64(f"AWS:{password}")),
            "expiresAt": end.timestamp(),
        }
        if self.trouble == "no_expiry":
            del data["expiresAt"]
        if service == "ecr-public":
            return {"authorizationData": data}
        data["proxyEndpoint"] = f"https://{self.registry}" if self.registry else self.url
        return {"authorizationData": [data]}

    def _secret(self, key_id: str) -> tuple[str, str] | None:
        return self.keys.get(key_id) or self.look_up(key_id)

    def count(self) -> None:
        """Count a call."""
        with self._lock:
            self.calls += 1

    def check_signature(self, handler: _Handler, service: str, body: bytes) -> None:
        """Raise what AWS answers to a request that is not signed by a known key, now, for here."""
        signer = check_signature(handler, body, service, self._secret, self.now())
        with self._lock:
            self.signers.append(signer)


def denied(action: str = "ecr:GetAuthorizationToken") -> RefusalError:
    """Return what AWS answers where IAM does not allow the call."""
    return RefusalError(
        "AccessDeniedException",
        f"User: {WHO} is not authorized to perform: {action} on resource: * because no "
        f"identity-based policy allows the {action} action",
    )


class _Handler(Handler):
    fake: FakeEcr

    def do_POST(self) -> None:
        """Answer the API."""
        fake = self.fake
        fake.count()
        body = self.body()
        try:
            service = _TARGETS.get(self.headers.get("X-Amz-Target", ""), "")
            if not service:
                raise RefusalError("UnknownOperationException")  # noqa: TRY301  one way out for all
            if isinstance(fake.trouble, RefusalError):
                raise fake.trouble
            fake.check_signature(self, service, body)
            if fake.trouble == "hang":
                fake.closing.wait(60)
                self.close_connection = True
                return
            texts = {
                "garbage": (200, b"s3cr3t-garbage{{{"),
                "html": (403, b"<html><body>s3cr3t-blocked by policy</body></html>"),
            }
            status, text = texts.get(str(fake.trouble), (200, b""))
            self.send(status, text or json.dumps(fake.answer(service)).encode())
        except RefusalError as refusal:
            reported = {"__type": refusal.code, "message": refusal.message}
            self.send(refusal.status, json.dumps(reported).encode(), refusal.headers)

    def do_GET(self) -> None:
        """Answer as a registry that takes the tokens."""
        fake = self.fake
        fake.proofs += 1
        if self.path != "/v2/":
            return self.send(404, b"{}")
        scheme, _, login = self.headers.get("Authorization", "").partition(" ")
        user, _, password = base64.b64decode(login or "").decode().partition(":")
        end = fake.tokens.get(password) if (scheme, user) == ("Basic", "AWS") else None
        if end is None:
            challenge = {
                "WWW-Authenticate": f'Basic realm="{fake.url}/",service="ecr.amazonaws.com"'
            }
            return self.send(401, b"Not Authorized", challenge)
        if end <= fake.now():
            message = "Your authorization token has expired. Reauthenticate and try again."
            errors = {"errors": [{"code": "DENIED", "message": message}]}
            return self.send(403, json.dumps(errors).encode())
        return self.send(200, b"{}")

    def send(
        self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        """Send an answer with its clock's Date."""
        date = format_datetime(self.fake.now(), usegmt=True)
        kind = {"Date": date, "Content-Type": "application/x-amz-json-1.1"}
        super().send(status, body, {**kind, **(headers or {})})


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def only_aws(patch: pytest.MonkeyPatch, **variables: str) -> None:
    """Leave no AWS settings in the environment, files included, but these."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        patch.delenv(name)
    nowhere = {"AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_CONFIG_FILE": os.devnull}
    for name, value in {**nowhere, "AWS_EC2_METADATA_DISABLED": "true", **variables}.items():
        patch.setenv(name, value)


def key_in_environment(patch: pytest.MonkeyPatch) -> None:
    """Give the process the fake's key, and nothing else of AWS."""
    only_aws(patch, AWS_ACCESS_KEY_ID=ACCESS_KEY, AWS_SECRET_ACCESS_KEY=SECRET_KEY)


def main() -> None:
    """Serve until a signal comes; the first line says where and with which key."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--port", type=int, default=0, help="default: any free one")
    parser.add_argument("--registry", default="", help="host[:port] to name; default: itself")
    parser.add_argument("--lifetime", type=float, default=12 * 3600, help="of a token, in seconds")
    parser.add_argument("--access-key", default=ACCESS_KEY)
    parser.add_argument("--secret-key", default=SECRET_KEY)
    given = parser.parse_args()
    fake = FakeEcr(
        port=given.port,
        registry=given.registry,
        lifetime=timedelta(seconds=given.lifetime),
        keys={given.access_key: (given.secret_key, "")},
    )
    with fake:
        reported = {"url": fake.url, "registry": fake.registry or fake.host}
        print(json.dumps(reported), flush=True)  # noqa: T201  for who started it
        threading.Event().wait()


if __name__ == "__main__":
    main()
