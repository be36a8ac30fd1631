"""Credentials from Vault or OpenBao: stored in a key/value engine, or made on request.

A dynamic credential is leased. While the server lengthens the lease in full, the credential stays
the same; near the lease's last end it does not, and a new one is taken instead.
https://developer.hashicorp.com/vault/docs/concepts/lease
"""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import quote

from msgspec.structs import replace

from rotator.core.errors import DriverError, LoginRejectedError, PermanentError, Reason
from rotator.core.model import Credential, Lease
from rotator.core.ports import Clock, Source
from rotator.vault.engines import Engine, Stored, find, read_kv
from rotator.vault.errors import whole_number
from rotator.vault.fields import credentials_in, end_in
from rotator.vault.session import FETCH_PATIENCE, VaultSession, WithLogin, open_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rotator.config.sources import VaultSourceSettings
    from rotator.vault.connection import Answer

# Servers count whole seconds, and a request takes its time.
_ROUNDING = timedelta(seconds=2)

# The server's answers to a lease that it does not know, or that we may not touch.
_NO = frozenset({400, 403, 404})


def build(settings: VaultSourceSettings, clock: Clock) -> VaultSource:
    """Return the source; nothing is read and nobody is asked yet."""
    return VaultSource(settings, clock, open_session(settings, clock, FETCH_PATIENCE))


class VaultSource(WithLogin, Source):
    """One secret of a Vault server: a login, a whole docker config, or logins made on request."""

    def __init__(self, settings: VaultSourceSettings, clock: Clock, session: VaultSession) -> None:
        super().__init__(settings.name, settings.known_registries())
        self._settings = settings
        self._clock = clock
        self._session = session
        self._leased: dict[str, int] = {}
        # Leases are ended several at once, and a fetch that hangs may still be under way.
        self._turn = Lock()
        self.changes_early = settings.engine in ("kv1", "kv2")
        self.revoke_after = settings.revoke_after

    def fetch(self, previous: Sequence[Credential]) -> Sequence[Credential]:
        """Return what the secret holds now, or the previous credentials with a lengthened lease."""
        with self._turn:
            return self._fetch(previous)

    def revoke(self, lease: Lease) -> None:
        """End a lease; one that has ended already is no error. The policy `default` forbids it."""
        with self._turn:
            self._session.open()
            self._session.call(lambda vault: vault.sys.revoke_lease(lease.id))
            self._leased.pop(lease.id, None)

    def _fetch(self, previous: Sequence[Credential]) -> Sequence[Credential]:
        self._session.open()
        if renewed := self._renewed(previous):
            return renewed
        settings = self._settings
        known = Engine.learned(self.learned, settings.path, settings.engine)
        failure: PermanentError | None = None
        if known is not None:
            try:
                return self._read(known)
            except LoginRejectedError:
                raise
            except PermanentError as error:
                failure = error  # another engine may have been mounted there
            self._session.mounts.forget(settings.path)
        engine, stored = find(
            self._session, settings.path, settings.engine, settings.kv_version_pin
        )
        if failure is not None and engine == known:
            raise failure
        return self._read(engine, stored)

    def _read(self, engine: Engine, stored: Stored | None = None) -> list[Credential]:
        """Return what an engine holds or makes; remember the engine where it gave something."""
        try:
            found = self._made(engine) if engine.kind == "dynamic" else self._stored(engine, stored)
        except PermanentError as error:
            self._session.mounts.forget(self._settings.path)
            if engine.api_path and error.reason is Reason.FORBIDDEN:
                error.hint = f"write `path: {engine.api_path}`, without `data/`; or {error.hint}"
            raise
        self.learned = engine.as_learned()
        # Reading what is made on request makes another one.
        self.changes_early = engine.kind != "dynamic"
        return found

    def _stored(self, engine: Engine, stored: Stored | None) -> list[Credential]:
        now = self._clock()
        pin = self._settings.kv_version_pin
        stored = stored or read_kv(self._session, engine, pin)
        place = f"{engine.path} at {self._session.server}"
        if stored.data is None:
            raise _missing(engine, stored, pin, place)
        # The server's clock may be ahead of ours; nothing began in the future.
        issued_at = min(stored.created_at or now, now)
        expires_at = end_in(stored.data, self._settings, place)
        return credentials_in(stored.data, self._settings, place, issued_at, expires_at)

    def _made(self, engine: Engine) -> list[Credential]:
        now = self._clock()
        place = f"{engine.path} at {self._session.server}"
        parameters, path = self._settings.parameters, quote(engine.path)
        if self._settings.method == "write":
            reply = self._session.call(lambda vault: vault.write_data(path, data=parameters))
        else:
            # The client's own `read` takes no parameters.
            reply = self._session.call(
                lambda vault: vault.adapter.get(f"v1/{path}", params=parameters)
            )
        lease = self._lease(reply, now)
        try:
            ends = [end_in(reply.data, self._settings, place), lease and lease.expires_at]
            expires_at = min((end for end in ends if end), default=None)
            return credentials_in(reply.data, self._settings, place, now, expires_at, lease)
        except DriverError:
            # Nobody else knows of this lease; without an end to it each try would leave one more.
            if lease:
                self._session.ask(lambda vault: vault.sys.revoke_lease(lease.id), _NO)
            raise

    def _lease(self, reply: Answer, now: datetime) -> Lease | None:
        lease_id, seconds = reply.document.get("lease_id"), reply.document.get("lease_duration")
        if not isinstance(lease_id, str) or not lease_id or not isinstance(seconds, int):
            return None
        login = self._session.number
        self._leased = {each: n for each, n in self._leased.items() if n == login}
        self._leased[lease_id] = login
        end = self._end(now + timedelta(seconds=whole_number(seconds)))
        return Lease(lease_id, end, bool(reply.document.get("renewable")))

    def _end(self, end: datetime) -> datetime:
        """Return the earlier of a lease's end and the end of the token that it dies with."""
        return min(end, self.token_expires_at or end)

    def _renewed(self, previous: Sequence[Credential]) -> list[Credential]:
        """Return the previous credentials with a later end; none where one can't be had."""
        leases = {credential.lease for credential in previous}
        lease = leases.pop() if len(leases) == 1 else None
        # A lease of an earlier login ends with that login, also where a renewal says otherwise.
        if lease is None or self._leased.get(lease.id) != self._session.number:
            return []
        # A longer lease does not help a credential that ends before it.
        if not lease.renewable or any(each.expires_at != lease.expires_at for each in previous):
            return []
        now = self._clock()
        life = max(lease.expires_at - credential.issued_at for credential in previous)
        seconds = round(life.total_seconds())
        reply = self._session.ask(lambda vault: vault.sys.renew_lease(lease.id, seconds), _NO)
        given = reply.document.get("lease_duration")
        if reply.status in _NO or not isinstance(given, int):
            return []
        end = self._end(now + timedelta(seconds=whole_number(given)))
        if end - now < life - _ROUNDING:
            return []
        longer = Lease(lease.id, end, bool(reply.document.get("renewable")))
        return [replace(each, issued_at=now, expires_at=end, lease=longer) for each in previous]


def _missing(engine: Engine, stored: Stored, pin: int | None, place: str) -> PermanentError:
    version = f"version {pin or stored.version} of " if engine.kind == "kv2" else ""
    if stored.gone == "deleted":
        return PermanentError(
            Reason.DELETED,
            f"{version}{place} was deleted",
            f"vault kv undelete -mount={engine.mount} -versions={stored.version} {engine.rest}",
        )
    if stored.gone == "destroyed":
        return PermanentError(
            Reason.DELETED,
            f"{version}{place} was destroyed: it can't be restored",
            f"write it again (vault kv put -mount={engine.mount} {engine.rest} …)"
            + (", or change `kv_version_pin`" if pin else ""),
        )
    if engine.api_path:
        hint = f"write `path: {engine.api_path}`, without `data/`"
    elif pin:
        hint = f"see which there are: vault kv metadata get -mount={engine.mount} {engine.rest}"
    else:
        folder = engine.rest.rpartition("/")[0]
        hint = f"correct `path`; what is there: vault kv list -mount={engine.mount} {folder}"
    where = f"{version if pin else ''}{place}"
    return PermanentError(Reason.NOT_FOUND, f"{where} is not there", hint.rstrip())
