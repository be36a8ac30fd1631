"""Checks the sources `ecr` and `ecr_public`: our identity for AWS, and whether it gives a token.

The check fetches a real token: that uses nothing up, and there is nothing to revoke.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rotator.core.errors import DriverError
from rotator.core.failure import Failure
from rotator.inspection import LONGEST, Case, Found, Given, ok
from rotator.sources.ecr import EcrSource
from rotator.system.each import ThreadedEach

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rotator.config.sources import EcrPublicSourceSettings, EcrSourceSettings

# Both end before the check that waits for them does.
_SECONDS = 15.5


def inspect(settings: EcrSourceSettings | EcrPublicSourceSettings, case: Case) -> Iterator[Found]:
    """Ask STS who we are and ECR for a token, both at once."""
    source = EcrSource(settings, case.clock)
    asked: list[Callable[[], Any]] = [lambda: source.fetch(()), source.identity]
    token, identity = ThreadedEach(longest=LONGEST)(lambda ask: ask(), asked, _SECONDS)
    if isinstance(identity, str):
        yield ok(f"AWS takes us for {identity}")
    elif not isinstance(token, Exception):
        # A network with an endpoint for ECR alone is well enough.
        why = Failure.of(identity).detail if isinstance(identity, DriverError) else "no answer"
        yield ok(f"the identity that AWS knows us by is not known: {why}")
    if isinstance(token, Exception):
        raise token
    yield ok(f"ecr gives a token in {settings.region}")
    yield Given(token)
