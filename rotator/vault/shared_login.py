"""One login for all sources and targets of a process that log in the same way."""

from __future__ import annotations

import time
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakSet, WeakValueDictionary

from msgspec import Struct

from rotator.aws.environment import aws_stamp
from rotator.config.vault_auth import AgentAuthSettings, AwsAuthSettings, TokenAuthSettings
from rotator.core.errors import DriverError, LoginRejectedError
from rotator.system.each import after_others
from rotator.system.secret_input import digest
from rotator.vault.connection import TIMEOUTS, Connection, Timeouts
from rotator.vault.login import Token, log_in, renew, secret_input
from rotator.vault.mounts import Mounts
from rotator.vault.server import Server, VaultSettings

if TYPE_CHECKING:
    from rotator.core.ports import Clock
    from rotator.vault.patience import Patience

# A token that ends while a request is under way would be refused.
_MARGIN = timedelta(seconds=5)

# Shares of a token's life. A lease ends with its token at the latest. So the token is renewed
# before a lease of the same life is, which by default happens at 50 % of it.
_RENEW_AFTER, _REPLACE_AFTER = 0.25, 0.5

# For how many seconds the failure of one login is the failure of the others that need it.
_REJECTED_FOR, _FAILED_FOR = 300.0, 1.0


class Granted(Struct, frozen=True):
    """A login that worked: its token, number (from 1), way to the server, and when on our clock."""

    token: Token
    number: int
    connection: Connection
    at: float


class SharedLogin:
    """A login at one server, renewed or replaced before it ends. For several threads.

    One thread logs in at a time; the others wait and use what it got. Where it fails, those who
    waited, and those who come seconds later, get the same failure: a wrong secret id that each of
    30 sources offers would lock its role for everybody. A second question of one asks the server.
    """

    def __init__(self, server: Server, clock: Clock, timeouts: Timeouts = TIMEOUTS) -> None:
        self.server = server
        self._mounts: dict[str | None, Mounts] = {}
        self.is_given = isinstance(server.auth, TokenAuthSettings | AgentAuthSettings)
        self._configured = digest(repr(server))
        self._clock = clock
        self._timeouts = timeouts
        self._lock = Lock()
        self._granted: Granted | None = None
        self._count = 0
        self._stamp = ""
        self._failure: tuple[DriverError, str, float] | None = None
        self._informed: WeakSet[object] = WeakSet()

    @property
    def token(self) -> Token | None:
        """The login token in use; None where there is none yet."""
        return self._granted.token if self._granted else None

    def mounts_in(self, namespace: str | None) -> Mounts:
        """Return what is known of the mounts in a namespace."""
        return self._mounts.setdefault(namespace, Mounts())

    def login_stamp(self) -> str:
        """Return what changes when the secret that logs in changes, or how it is configured."""
        given = secret_input(self.server)
        if given is not None:
            return f"{self._configured} {given.stamp()}"
        aws = isinstance(self.server.auth, AwsAuthSettings)
        return f"{self._configured} {aws_stamp()}" if aws else self._configured

    def open(self, patience: Patience, user: object) -> Granted:
        """Return a login that lasts; `user` is who needs it.

        Logs in where there is none, where it is about to end, or where another token was put into
        its file; renews it after a quarter of its life, or logs in again after 50 % of it where it
        can't be renewed. Another secret id or JWT counts from the next login on: the token's
        leases would end with it. Raises `LoginRejectedError`, and whatever a request
        raises.
        """
        with after_others(self._lock):
            granted = self._granted
            exchanged = self.is_given and self._stamp != self.login_stamp()
            if granted is None or exchanged or self._left(granted) < _MARGIN:
                return self._log_in(patience, user)
            if self._is_past(_RENEW_AFTER, granted):
                token = renew(self.server, granted.token, granted.connection, self._clock, patience)
                granted = Granted(token, granted.number, granted.connection, granted.at)
                self._granted = granted
            # A given token can't be replaced, and what is leased with it has the same end.
            if self._is_past(_REPLACE_AFTER, granted) and not self.is_given:
                return self._log_in(patience, user)
            return granted

    def again(
        self, refused: Granted, patience: Patience, user: object, *, token_is_bad: bool
    ) -> Granted | None:
        """Return a login newer than the refused one; None where none can be had."""
        with after_others(self._lock):
            if self._granted is not None and self._granted.number > refused.number:
                return self._granted
            if isinstance(self.server.auth, AgentAuthSettings):
                return None
            try:
                return self._log_in(patience, user)
            except DriverError:
                if token_is_bad:
                    raise
                self._granted = refused
                return None

    def _log_in(self, patience: Patience, user: object) -> Granted:
        stamp = self.login_stamp()
        if self._failure and user not in self._informed:
            # The recent failure, once to each user.
            recent, then, at = self._failure
            lasts = _REJECTED_FOR if isinstance(recent, LoginRejectedError) else _FAILED_FOR
            if then == stamp and time.monotonic() - at < lasts:
                self._informed.add(user)
                raise recent
        self._granted = None
        self._stamp = stamp
        try:
            connection = Connection(self.server, self._timeouts)
            token = log_in(self.server, connection, self._clock, patience)
        except DriverError as error:
            self._failure = (error, stamp, time.monotonic())
            self._informed = WeakSet([user])
            raise
        self._failure = None
        self._count += 1
        self._granted = Granted(token, self._count, connection, time.monotonic())
        return self._granted

    def _is_past(self, share: float, granted: Granted) -> bool:
        ttl = granted.token.ttl
        return ttl is not None and self._left(granted) <= ttl * (1 - share)

    def _left(self, granted: Granted) -> timedelta:
        end = granted.token.expires_at
        return end - self._clock() if end else timedelta.max


_shared: WeakValueDictionary[tuple[Server, Clock, Timeouts], SharedLogin] = WeakValueDictionary()
_guard = Lock()


def shared_login(
    settings: VaultSettings, clock: Clock, timeouts: Timeouts = TIMEOUTS
) -> SharedLogin:
    """Return the process's one login for these settings; it lives as long as somebody uses it."""
    key = (Server.of(settings), clock, timeouts)
    with _guard:
        login = _shared.get(key)
        if login is None:
            login = _shared[key] = SharedLogin(*key)
        return login
