"""The `ecr` source on the suite's bench, against our ECR endpoint."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from rotator.config.sources import EcrPublicSourceSettings, EcrSourceSettings
from rotator.core.errors import Reason
from rotator.core.model import Secret
from rotator.sources.ecr import EcrSource
from tests.fakes.ecr import SECRET_KEY, FakeEcr, denied, key_in_environment
from tests.fakes.sigv4 import RefusalError
from tests.support import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.contract.benches import Trouble

ACCOUNTS = ("123456789012", "012345670123")
QUICK = (2.0, 0.3)


class EcrBench:
    """An ECR endpoint, and the key that it knows in the environment."""

    def __init__(self, fake: FakeEcr, patch: pytest.MonkeyPatch) -> None:
        self.fake = fake
        self.patch = patch
        self.endpoint = fake.url

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Return the secret access key and every token given so far."""
        return (Secret(SECRET_KEY), *map(Secret, self.fake.tokens))

    def source(self) -> EcrSource:
        """Build the driver anew."""
        settings = EcrSourceSettings(
            name="ecr", region="eu-west-1", accounts=ACCOUNTS, endpoint_url=self.endpoint
        )
        return EcrSource(settings, lambda: datetime.now(UTC), QUICK)

    def registries(self) -> frozenset[str]:
        """Return the accounts' registry hosts."""
        return frozenset(f"{account}.dkr.ecr.eu-west-1.amazonaws.com" for account in ACCOUNTS)

    def calls(self) -> int:
        """Return how many requests the API has seen."""
        return self.fake.calls

    def troubles(self) -> Mapping[str, Trouble]:
        """Return what AWS, the network and the machine can do to a fetch."""
        return {
            "denied": (self._suffers(denied()), Reason.FORBIDDEN, False),
            "missing": (self._no_key, Reason.NOT_FOUND, False),
            "unreachable": (self._nobody_listens, Reason.UNREACHABLE, True),
            "slow": (self._suffers("hang"), Reason.TIMEOUT, True),
            "throttled": (self._suffers(_throttled()), Reason.THROTTLED, True),
            "down": (self._suffers(_down()), Reason.UNAVAILABLE, True),
            "unknown key": (self.fake.keys.clear, Reason.LOGIN_REJECTED, False),
            "wrong key": (self._another_secret, Reason.LOGIN_REJECTED, False),
            "session over": (self._suffers(_session_over()), Reason.EXPIRED, False),
            "clock off": (self._clock_off, Reason.EXPIRED, True),
            "token over": (self._tokens_end_at_once, Reason.EXPIRED, True),
            "garbage": (self._suffers("garbage"), Reason.MALFORMED, True),
            "no token": (self._suffers("no_token"), Reason.MALFORMED, True),
            "not base64": (self._suffers("not_base64"), Reason.MALFORMED, True),
            "no colon": (self._suffers("no_colon"), Reason.MALFORMED, True),
            "no expiry": (self._suffers("no_expiry"), Reason.MALFORMED, True),
            "proxy says no": (self._suffers("html"), Reason.FORBIDDEN, False),
        }

    def _suffers(self, trouble: RefusalError | str) -> Callable[[], None]:
        return lambda: setattr(self.fake, "trouble", trouble)

    def _no_key(self) -> None:
        self.patch.delenv("AWS_ACCESS_KEY_ID")
        self.patch.delenv("AWS_SECRET_ACCESS_KEY")

    def _nobody_listens(self) -> None:
        self.endpoint = f"http://127.0.0.1:{free_port()}"

    def _another_secret(self) -> None:
        self.patch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t-of-another-key")

    def _clock_off(self) -> None:
        self.fake.offset = timedelta(hours=1)

    def _tokens_end_at_once(self) -> None:
        self.fake.lifetime = -timedelta(hours=1)


class EcrPublicBench(EcrBench):
    """The same for ECR Public."""

    def source(self) -> EcrSource:
        """Build the driver anew."""
        settings = EcrPublicSourceSettings(name="ecr_public", endpoint_url=self.endpoint)
        return EcrSource(settings, lambda: datetime.now(UTC), QUICK)

    def registries(self) -> frozenset[str]:
        """Return the one registry."""
        return frozenset({"public.ecr.aws"})


def _throttled() -> RefusalError:
    return RefusalError("ThrottlingException", "Rate exceeded", headers={"Retry-After": "7"})


def _down() -> RefusalError:
    return RefusalError("ServerException", status=500)


def _session_over() -> RefusalError:
    return RefusalError("ExpiredTokenException", "The security token in the request is expired")


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Iterator[EcrBench]:
    """Return a fresh endpoint, and an environment that holds its key alone."""
    with FakeEcr() as fake, pytest.MonkeyPatch.context() as patch:
        key_in_environment(patch)
        yield EcrBench(fake, patch)
