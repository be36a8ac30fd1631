"""AWS's check of a signed request, with the SDK's own signer."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.server import BaseHTTPRequestHandler

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})"
)
_LIFE = timedelta(minutes=5)


@dataclass(eq=False)
class RefusalError(Exception):
    """An answer in AWS's own form: an HTTP status, a code, and a message."""

    code: str
    message: str = ""
    status: int = 400
    headers: dict[str, str] = field(default_factory=dict)


def check_signature(
    handler: BaseHTTPRequestHandler,
    body: bytes,
    service: str,
    secret_of: Callable[[str], tuple[str, str] | None],
    now: datetime,
) -> str:
    """Return the access key id that signed this POST; raise `RefusalError` as AWS would.

    `secret_of` gives a key id's secret key and session token, None for a key that is not known.
    """
    found = _AUTHORIZATION.fullmatch(handler.headers.get("Authorization", ""))
    if found is None:
        raise RefusalError("MissingAuthenticationTokenException", "Missing Authentication Token")
    key_id, day, region, signed_for, names, signature = found.groups()
    known = secret_of(key_id)
    if known is None or handler.headers.get("X-Amz-Security-Token", "") != known[1]:
        raise RefusalError(
            "UnrecognizedClientException", "The security token included in the request is invalid."
        )
    time = handler.headers.get("X-Amz-Date", "")
    _check_time(time, now)
    request = AWSRequest(
        "POST",
        f"http://{handler.headers['Host']}{handler.path}",
        headers={name: handler.headers.get(name, "") for name in names.split(";")},
        data=body,
    )
    request.context["timestamp"] = time
    signer = SigV4Auth(Credentials(key_id, known[0], known[1] or None), service, region)
    canonical = signer.canonical_request(request)
    expected = signer.signature(signer.string_to_sign(request, canonical), request)
    digest = sha256(body).hexdigest()
    reported = handler.headers.get("X-Amz-Content-SHA256", digest)
    if (expected, service, time[:8], digest) != (signature, signed_for, day, reported):
        raise RefusalError(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided.\n\n"
            f"The Canonical String for this request should have been\n'{canonical}'",
        )
    return key_id


def _check_time(time: str, now: datetime) -> None:
    signed = datetime.strptime(time, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if signed < now - _LIFE:
        reported = f"Signature expired: {time} is now earlier than {now - _LIFE:%Y%m%dT%H%M%SZ}"
        raise RefusalError("InvalidSignatureException", reported)
    if signed > now + _LIFE:
        reported = f"Signature not yet current: {time} is still later than {now:%Y%m%dT%H%M%SZ}"
        raise RefusalError("InvalidSignatureException", reported)
