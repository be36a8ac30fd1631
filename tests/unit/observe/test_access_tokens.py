"""When rotator's own tokens end: GitLab is asked rarely, and people are told in time."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import structlog
from structlog.testing import capture_logs

from rotator.core.errors import Reason, TemporaryError
from rotator.core.rotation import Rotation
from rotator.observe.access_tokens import AccessTokens, TokenEnd
from tests.support import NOW, until
from tests.unit.observe.views import VARIABLE, hours, settings

if TYPE_CHECKING:
    from datetime import datetime

DAY = hours(24)


@dataclass
class Driver:
    """As much of a driver as is used here."""

    name: str
    token_expires_at: datetime | None = None
    end: datetime | None = None
    error: Exception | None = None
    asked: int = 0

    def access_token(self) -> Any:
        """Return the end, as GitLab tells it."""
        self.asked += 1
        if self.error is not None:
            raise self.error
        return SimpleNamespace(expires_at=self.end)


@dataclass
class Site:
    """A rotation with a Vault source and a GitLab variable, and a clock that a test turns."""

    variable: Driver = field(default_factory=lambda: Driver(VARIABLE, end=NOW + 20 * DAY))
    vault: Driver = field(default_factory=lambda: Driver("vault"))
    method: str = "token"

    def __post_init__(self) -> None:
        self.now = NOW
        auth = {"method": "token", "token_file": "/run/vault-token"}
        if self.method != "token":
            auth = {"method": "approle", "role_id": "r", "secret_id_file": "/run/secret-id"}
        vault = {
            "type": "vault",
            "address": "https://vault.example.com",
            "auth": auth,
            "path": "secret/harbor",
            "registry": "harbor.example.com",
        }
        target = {
            "type": "gitlab_variable",
            "url": "https://gitlab.example.com",
            "group": "team/apps",
            "token_file": "/run/gitlab-token",
        }
        self.enabled = True
        variable = {**target, "name": VARIABLE}
        rotation = Rotation("dind", cast("Any", (self.vault,)), cast("Any", (self.variable,)))
        self.tokens = AccessTokens(
            lambda: [
                (
                    settings(sources=[vault], targets=[{**variable, "enabled": self.enabled}]),
                    rotation,
                )
            ],
            lambda: self.now,
            structlog.get_logger(),
        )

    def warnings(self) -> list[Any]:
        """Look, and return what was said."""
        with capture_logs() as said:
            self.tokens.ask()
        return [line for line in said if line["log_level"] == "warning"]


def test_nothing_is_asked_for_a_scrape() -> None:
    """Only what is known already is told: a scrape waits for nobody."""
    site = Site()
    assert site.tokens.ends() == []
    assert site.variable.asked == 0


def test_gitlab_is_asked_once_a_day() -> None:
    """However many cycles end, in a thread of its own."""
    site = Site()
    for _ in range(3):
        site.tokens.ask_daily()
    until(site.tokens.ends, what="the answer")
    assert site.variable.asked == 1
    site.now += DAY + hours(1)
    site.tokens.ask_daily()
    until(lambda: site.variable.asked == 2, what="the next day's question")


def test_a_word_30_days_ahead() -> None:
    """It says which token, when it ends, and what to do, with the file to write."""
    [warning] = Site().warnings()
    assert warning["event"] == "access token ends soon"
    assert warning["name"] == f"dind/{VARIABLE}"
    assert "in 20 d" in warning["ends"]
    assert "/run/gitlab-token" in warning["hint"]
    assert "group team/apps" in warning["hint"]
    assert Site(variable=Driver(VARIABLE, end=NOW + 40 * DAY)).warnings() == []
    assert Site(variable=Driver(VARIABLE, end=None)).warnings() == []


def test_one_that_has_ended() -> None:
    """It is said as it is."""
    [warning] = Site(variable=Driver(VARIABLE, end=NOW - DAY)).warnings()
    assert warning["event"] == "access token has ended"


def test_gitlab_that_does_not_answer() -> None:
    """The cycle tells what is wrong; here the end is unknown, and asked for again in an hour."""
    down = TemporaryError(Reason.UNREACHABLE, "no", "wait")
    site = Site(variable=Driver(VARIABLE, error=down))
    assert site.warnings() == []
    assert site.tokens.ends() == []
    site.variable.error = None
    site.variable.end = NOW + 300 * DAY
    site.now += hours(1.1)
    site.tokens.ask_daily()
    until(site.tokens.ends, what="the answer")


def test_vault_tokens_cost_no_question() -> None:
    """Their end is known from the login; one that rotator gets by itself needs nobody."""
    end = NOW + DAY
    given = Site(vault=Driver("vault", end), variable=Driver(VARIABLE, end=None))
    [token] = given.tokens.ends()
    assert (token.kind, token.name, token.expires_at) == ("vault", "dind/vault", end)
    assert "/run/vault-token" in (token.hint or "")
    own = Site(vault=Driver("vault", end), method="approle")
    assert own.tokens.ends()[0] == TokenEnd("vault", "dind/vault", end, None)
    own.now = end - hours(1)
    assert [w for w in own.warnings() if w["kind"] == "vault"] == []


def test_a_given_vault_token_that_is_not_renewed() -> None:
    """Rotator renews at half of a life: past that, and still the same end, somebody must act."""
    site = Site(vault=Driver("vault", NOW + 20 * DAY), variable=Driver(VARIABLE))
    assert site.warnings() == []
    site.now += 9 * DAY
    assert site.warnings() == []
    site.now += 4 * DAY
    [warning] = site.warnings()
    assert warning["kind"] == "vault"
    site.vault.token_expires_at = site.now + 20 * DAY
    assert site.warnings() == []


def test_a_paused_target_is_not_asked_for() -> None:
    """Nothing is done with its token."""
    site = Site()
    site.enabled = False
    assert site.warnings() == []
    assert site.variable.asked == 0
