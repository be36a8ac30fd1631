"""When the tokens end that rotator itself logs in with, and a warning in time."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from rotator.config.sources import VaultSourceSettings
from rotator.config.targets import GitlabVariableTargetSettings, VaultKvTargetSettings
from rotator.core.errors import DriverError
from rotator.observe.times import duration_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from structlog.typing import FilteringBoundLogger

    from rotator.config.schema import RotationSettings
    from rotator.core.ports import Clock, Source, Target
    from rotator.core.rotation import Rotation

WARN_AHEAD = timedelta(days=30)

_EVERY = timedelta(days=1)
_ASK_AGAIN = timedelta(hours=1)

# rotator renews a Vault token after 50 % of its life. One with less left can't be renewed.
_SPENT = 0.4


class TokenEnd(NamedTuple):
    """A token and its end; `hint` says how to replace it, None where rotator does that itself."""

    kind: str
    name: str
    expires_at: datetime
    hint: str | None = None


class AccessTokens:
    """Knows the tokens' ends: Vault's from its logins, GitLab's by asking once a day.

    `rotations` gives the settings and the drivers that are in use now.
    """

    def __init__(
        self,
        rotations: Callable[[], Sequence[tuple[RotationSettings, Rotation]]],
        clock: Clock,
        log: FilteringBoundLogger,
    ) -> None:
        self._rotations = rotations
        self._clock = clock
        self._log = log
        self._lock = threading.Lock()
        self._ask_at: datetime | None = None
        self._asked: dict[str, TokenEnd] = {}
        self._first: dict[str, tuple[datetime, timedelta]] = {}

    def ends(self) -> list[TokenEnd]:
        """Return every token's end, as far as it is known; asks nobody."""
        names = {f"{s.name}/{t.target_name}" for s, _ in self._rotations() for t in s.targets}
        asked = [token for name, token in sorted(self._asked.items()) if name in names]
        return [*self._of_vault(), *asked]

    def ask_daily(self) -> None:
        """Ask in a thread of its own if a day has passed: called after each cycle."""
        now = self._clock()
        with self._lock:
            if self._ask_at is not None and now < self._ask_at:
                return
            self._ask_at = now + _EVERY
        threading.Thread(target=self.ask, name="access tokens", daemon=True).start()

    def ask(self) -> None:
        """Ask GitLab for its tokens' ends, once a token, and warn of what ends soon."""
        ends: dict[tuple[str, str], datetime | None] = {}
        asked = {}
        for name, one, driver in self._variables():
            place = str(one.token_file or f"${one.token_env}")
            if (one.url, place) not in ends:
                ends[one.url, place] = self._end_of(name, driver)
            if end := ends[one.url, place]:
                owner = f"{one.owner} {one.owner_path}".rstrip()
                hint = (
                    f"make another one with scope api at {one.url}, {owner}, Settings > "
                    f"Access tokens, and write it to {place}"
                )
                asked[name] = TokenEnd("gitlab", name, end, hint)
        self._asked = asked
        self._warn()

    def _variables(self) -> Iterable[tuple[str, GitlabVariableTargetSettings, Any]]:
        for settings, rotation in self._rotations():
            drivers = {target.name: target for target in rotation.targets}
            for one in settings.targets:
                on = settings.enabled and one.enabled
                if on and isinstance(one, GitlabVariableTargetSettings):
                    yield f"{settings.name}/{one.target_name}", one, drivers[one.target_name]

    def _end_of(self, name: str, driver: Any) -> datetime | None:
        try:
            end: datetime | None = driver.access_token().expires_at
        except DriverError as error:
            # The cycle tells what is wrong with the token; here its end stays unknown.
            self._log.debug("end of access token not known", target=name, detail=error.detail)
            self._ask_at = self._clock() + _ASK_AGAIN
            return None
        return end

    def _of_vault(self) -> Iterable[TokenEnd]:
        for settings, rotation in self._rotations():
            auths = {s.name: s.auth for s in settings.sources if isinstance(s, VaultSourceSettings)}
            for one in settings.targets:
                if isinstance(one, VaultKvTargetSettings):
                    auths[one.target_name] = one.auth
            drivers: tuple[Source | Target, ...] = (*rotation.sources, *rotation.targets)
            for driver in drivers:
                end = driver.token_expires_at if driver.name in auths else None
                if end is not None:
                    hint = _vault_hint(auths[driver.name])
                    yield TokenEnd("vault", f"{settings.name}/{driver.name}", end, hint)

    def _warn(self) -> None:
        now = self._clock()
        for token in self.ends():
            left = token.expires_at - now
            if token.hint is None or left > WARN_AHEAD or self._is_renewed(token, left):
                continue
            self._log.warning(
                "access token ends soon" if left > timedelta(0) else "access token has ended",
                kind=token.kind,
                name=token.name,
                ends=f"{token.expires_at:%Y-%m-%d %H:%M} UTC, in {duration_text(left)}",
                hint=token.hint,
            )

    def _is_renewed(self, token: TokenEnd, left: timedelta) -> bool:
        """Tell whether rotator still lengthens a Vault token by itself, so that nobody need act."""
        if token.kind != "vault":
            return False
        end, whole = self._first.setdefault(token.name, (token.expires_at, left))
        if end != token.expires_at:
            self._first[token.name] = (token.expires_at, left)
            return True
        return left > whole * _SPENT


def _vault_hint(auth: Any) -> str | None:
    if auth.method != "token":
        return None
    place = auth.token_file or f"${auth.token_env}"
    return f"make another one, `vault token create -period=24h -policy=…`, and write it to {place}"
