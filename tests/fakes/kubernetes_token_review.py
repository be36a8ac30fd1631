"""The one call of a Kubernetes API server that Vault's kubernetes login needs: TokenReview."""

from __future__ import annotations

import json
from typing import Any

from tests.fakes.loopback import Handler, Loopback


class TokenReview(Loopback):
    """`accepted` maps each good token to its `NS:ACCOUNT`."""

    def __init__(self) -> None:
        self.accepted: dict[str, str] = {}
        self.serve(_Handler)

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


class _Handler(Handler):
    fake: TokenReview

    def do_POST(self) -> None:
        answer = json.dumps(self.fake.review(json.loads(self.body()))).encode()
        self.send(201, answer, {"Content-Type": "application/json"})
