"""An answer of ECR that is no token."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rotator.core.errors import PermanentError, Reason, TemporaryError
from tests.unit.sources.ecr.endpoint import error_of, source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.ecr import FakeEcr


def test_garbage_with_a_200_never_shows(fake: FakeEcr) -> None:
    """Whatever an answer holds, a fetch says that it is malformed and does not repeat it."""
    fake.trouble = "garbage"
    error = error_of(source(fake))
    assert error.reason is Reason.MALFORMED
    assert "s3cr3t-" not in f"{error} {error.hint}"


@pytest.fixture
def impossible_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let this process have a time zone that is more than a day away."""
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "UTC+25")
        time.tzset()
        yield
    time.tzset()


def test_a_time_zone_that_is_none(fake: FakeEcr, impossible_zone: None) -> None:
    """The SDK reads each end in local time: it is this machine that is wrong, not the endpoint."""
    error = error_of(source(fake))
    assert (type(error), error.reason) == (PermanentError, Reason.INVALID)
    assert "TZ=UTC+25" in str(error)
    assert "set TZ" in error.hint


ANSWERS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "no token": {"authorizationToken": None},
    "a token of bytes that are no text": {
        "authorizationToken": base64.b64encode(b"\xff\xfe:\xff").decode()
    },
    "no user": {"authorizationToken": base64.b64encode(b":s3cr3t-x").decode()},
    "no password": {"authorizationToken": base64.b64encode(b"AWS:").decode()},
    "an end that is no time": {"expiresAt": "soon"},
    "an end of another type": {"expiresAt": []},
    "an end out of range": {"expiresAt": 1e30},
    "no host": {"proxyEndpoint": None},
    "a host of another type": {"proxyEndpoint": {}},
}


@pytest.mark.parametrize("change", ANSWERS.values(), ids=ANSWERS)
def test_malformed_answers(
    fake: FakeEcr, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    """Each part of the answer is looked at before it is used."""
    whole: Any = fake.answer("ecr")
    (data,) = whole["authorizationData"]
    changed = {"authorizationData": [{**data, **change} if change else {}]}
    monkeypatch.setattr(fake, "answer", lambda _: changed)
    error = error_of(source(fake))
    assert (type(error), error.reason) == (TemporaryError, Reason.MALFORMED)


KEYS = st.sampled_from(
    ["authorizationData", "authorizationToken", "expiresAt", "proxyEndpoint", "more"]
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(answer=JSON)
def test_any_answer_is_malformed(fake: FakeEcr, answer: Any) -> None:
    """No JSON that is not a token breaks the source."""
    made = source(fake)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fake, "answer", lambda _: answer)
        error = error_of(made)
    assert error.reason in (Reason.MALFORMED, Reason.EXPIRED)
