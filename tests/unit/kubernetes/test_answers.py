"""The Kubernetes targets over the fake API server: each answer that is no success."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from rotator.core.errors import (
    DriverError,
    PermanentError,
    Reason,
    TemporaryError,
)
from tests.fakes.kubernetes import Canned
from tests.fakes.kubernetes_world import (
    MARK,
    PASSWORD,
    TEXT,
    World,
)


def _status(code: int, reason: str, **more: Any) -> str:
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "metadata": {}}
    return json.dumps({**status, "code": code, "reason": reason, "message": PASSWORD, **more})


HTML = {"Content-Type": "text/html"}
WAIT = {"Content-Type": "application/json", "Retry-After": "7"}
ANSWERS: dict[str, tuple[Canned, type[DriverError], Reason, str]] = {
    "token": (
        Canned(401, _status(401, "Unauthorized")),
        PermanentError,
        Reason.LOGIN_REJECTED,
        "auth whoami",
    ),
    "quota": (
        Canned(403, _status(403, "Forbidden")),
        PermanentError,
        Reason.FORBIDDEN,
        "get validatingadmissionpolicies,resourcequotas",
    ),
    # An admission webhook chooses its own status and reason.
    "a webhook's 401": (
        Canned(
            401,
            _status(401, "Unauthorized", message='admission webhook "a.b" denied the request: no'),
        ),
        PermanentError,
        Reason.FORBIDDEN,
        "validatingadmissionpolicies",
    ),
    "body too large": (
        Canned(413, _status(413, "RequestEntityTooLarge")),
        PermanentError,
        Reason.TOO_LARGE,
        "-n ci describe configmap docker",
    ),
    "bad request": (
        Canned(400, _status(400, "BadRequest")),
        PermanentError,
        Reason.INVALID,
        "-n ci describe configmap docker",
    ),
    # For a patch that it can't decode the server quotes the whole object.
    "undecodable": (
        Canned(
            422,
            _status(
                422,
                "Invalid",
                details={
                    "causes": [
                        {"reason": "FieldValueInvalid", "message": PASSWORD, "field": "patch"}
                    ]
                },
            ),
        ),
        PermanentError,
        Reason.INVALID,
        "-n ci describe configmap docker",
    ),
    "bad label": (
        Canned(
            422,
            _status(
                422,
                "Invalid",
                details={"causes": [{"reason": "FieldValueInvalid", "field": "metadata.labels"}]},
            ),
        ),
        PermanentError,
        Reason.INVALID,
        "labels, annotations, key and type",
    ),
    "throttled": (
        Canned(429, _status(429, "TooManyRequests"), WAIT),
        TemporaryError,
        Reason.THROTTLED,
        "get --raw /readyz",
    ),
    "throttled by a proxy": (
        Canned(429, "slow down", HTML),
        TemporaryError,
        Reason.THROTTLED,
        "get --raw /readyz",
    ),
    "internal error": (
        Canned(500, _status(500, "InternalError")),
        TemporaryError,
        Reason.UNAVAILABLE,
        "get --raw /readyz",
    ),
    "bad gateway without a type": (
        Canned(502, "", {}),
        TemporaryError,
        Reason.UNAVAILABLE,
        "get --raw /readyz",
    ),
    "unavailable and no Status": (
        Canned(503, "[1]", WAIT),
        TemporaryError,
        Reason.UNAVAILABLE,
        "get --raw /readyz",
    ),
    "a proxy's 404": (
        Canned(404, "<html>", HTML),
        PermanentError,
        Reason.INVALID,
        "-v 6",
    ),
    "another API's 404": (
        Canned(404, '{"detail": "not found"}'),
        PermanentError,
        Reason.INVALID,
        "-v 6",
    ),
    "a server without this resource": (
        Canned(404, _status(404, "NotFound", details={})),
        PermanentError,
        Reason.INVALID,
        "-v 6",
    ),
    "a login page": (
        Canned(302, "", {"Location": "https://sso.example.com/"}),
        PermanentError,
        Reason.INVALID,
        "-v 6",
    ),
    "a page": (
        Canned(200, "<html>", HTML),
        PermanentError,
        Reason.MALFORMED,
        "-v 6",
    ),
    "another object": (
        Canned(200, '{"kind": "Pod"}'),
        PermanentError,
        Reason.MALFORMED,
        "-v 6",
    ),
}


@pytest.mark.parametrize("step", ["read", "create", "patch"])
@pytest.mark.parametrize("name", ANSWERS)
def test_explains_every_answer(world: World, name: str, step: str) -> None:
    """Each answer is one kind of error, with a command in its hint, wherever it comes."""
    canned, kind, reason, hint = ANSWERS[name]
    target = world.target()
    if step == "patch":
        world.put(data={"config.json": "{}"})
    held = target.read()
    world.fake.canned.append(canned)

    call = target.read if step == "read" else partial(target.write, TEXT, MARK, held)
    with pytest.raises(DriverError) as caught:
        call()

    error = caught.value
    assert (type(error), error.reason) == (kind, reason)
    assert hint in error.hint
    assert f"kubectl --kubeconfig {world.kubeconfig}" in error.hint
    assert PASSWORD not in f"{error} {error.detail} {error.hint}"
    assert error.__cause__ is None
    if isinstance(error, TemporaryError):
        assert error.retry_after == (7.0 if "Retry-After" in canned.headers else None)
