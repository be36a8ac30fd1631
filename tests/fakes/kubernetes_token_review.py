"""The one call of a Kubernetes API server that Vault's kubernetes login needs: TokenReview."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.fakes.loopback import Loopback


class TokenReview(Loopback):
    """`accepted` maps each good token to its `NS:ACCOUNT`."""

    def __init__(self) -> None:
        self.accepted: dict[str, str] = {}
        self.serve(_handler(self))
        self.url = f"http://127.0.0.1:{self.port}"

    def review(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return the review of a token, as the API server writes it."""
        account = self.accepted.get(document["spec"]["token"])
        status: dict[str, Any] = {"authenticated": False, "error": "invalid bearer token"}
        if account is not None:
            user = {
                "username": f"system:serviceaccount:{account}",
                "uid": "5f5f4e0c-0000-4000-8000-000000000001",
                "groups": ["system:serviceaccounts"],
            }
            audiences = document["spec"].get("audiences", [])
            status = {"authenticated": True, "user": user, "audiences": audiences}
        return {**document, "status": status}


def _handler(fake: TokenReview) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            answer = json.dumps(fake.review(json.loads(self.rfile.read(length)))).encode()
            self.send_response(201)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: Any) -> None:
            pass

    return Handler
