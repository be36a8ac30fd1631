"""Finds out what answers at a path, and reads the key/value engines.

https://developer.hashicorp.com/vault/api-docs/secret/kv
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast, get_args
from urllib.parse import quote

from msgspec import Struct

from rotator.core.errors import PermanentError, Reason
from rotator.http.reading import object_in, time_in
from rotator.vault.errors import FORBIDDEN, NOT_FOUND, whole_number
from rotator.vault.mounts import mount_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from rotator.vault.connection import Answer, Ask
    from rotator.vault.session import VaultSession

Kind = Literal["kv1", "kv2", "dynamic"]

_NOTHING = (FORBIDDEN, NOT_FOUND)


class Engine(Struct, frozen=True):
    """What answers at a path: its kind, where it is mounted, and the rest of the path."""

    kind: Kind
    mount: str
    rest: str

    @classmethod
    def learned(cls, text: str, path: str, wanted: Kind | Literal["auto"]) -> Engine | None:
        """Return the engine that `as_learned` wrote; None where the path is no longer below it."""
        kind, _, mount = text.partition(" ")
        if kind not in get_args(Kind) or wanted not in (kind, "auto"):
            return None
        if not path.startswith(f"{mount}/"):
            return None
        return cls(cast("Kind", kind), mount, path.removeprefix(f"{mount}/"))

    def as_learned(self) -> str:
        """Return its kind and mount, to be stored over a restart."""
        return f"{self.kind} {self.mount}"

    @property
    def read_path(self) -> str:
        """The path that the API reads and writes."""
        return f"{self.mount}/data/{self.rest}" if self.kind == "kv2" else self.path

    @property
    def path(self) -> str:
        """The path as `vault kv get` takes it."""
        return f"{self.mount}/{self.rest}"

    @property
    def api_path(self) -> str:
        """The path to configure where `data/` was copied into it from the API; else empty."""
        if self.kind != "kv2" or not self.rest.startswith("data/"):
            return ""
        return f"{self.mount}/{self.rest.removeprefix('data/')}"


@dataclass(frozen=True)
class Stored:
    """What a key/value engine holds at a path.

    `data` is None where there is nothing; `gone` says whether it was "deleted" or "destroyed".
    `version` is 0 where nothing was ever written, or where the engine has no versions.
    """

    data: Mapping[str, Any] | None = field(repr=False)
    version: int = 0
    created_at: datetime | None = None
    gone: str = ""


def find_engine(session: VaultSession, path: str, wanted: Kind | Literal["auto"]) -> Engine:
    """Return what answers at `path`, asking the server as `vault kv get` does.

    The question needs no policy of its own: the server answers everybody who may do anything below
    the mount. So a refusal means that the login may do nothing there, or that nothing is mounted
    there; with `wanted` given, the first part of the path is then taken as the mount.

    Raises `PermanentError` (forbidden) and what a request raises.
    """
    accept = () if wanted == "auto" else _NOTHING
    question = f"v1/sys/internal/ui/mounts/{quote(path)}"  # hvac has no method for it
    try:
        data = session.mounts.ask(
            path, lambda: session.call(lambda vault: vault.adapter.get(question), accept).data
        )
    except PermanentError as error:
        if error.reason is not Reason.FORBIDDEN:
            raise
        raise _no_right(path, error) from None
    mount = mount_in(data, path) or path.partition("/")[0]
    rest = path.removeprefix(mount).strip("/")
    if wanted != "auto":
        return Engine(wanted, mount, rest)
    if data.get("type") not in ("kv", "generic", "cubbyhole"):
        return Engine("dynamic", mount, rest)
    version = object_in(data.get("options")).get("version")
    return Engine("kv2" if str(version) == "2" else "kv1", mount, rest)


def find(
    session: VaultSession, path: str, wanted: Kind | Literal["auto"], version: int | None = None
) -> tuple[Engine, Stored | None]:
    """Return what answers at `path`, and what it holds if that had to be read to find out.

    With `wanted` given, the first part of the path is tried as the mount, which saves a question;
    where nothing is to be had there, the server is asked, as the mount may have more parts. With
    `auto` it is asked at once: a try would cost every other engine a request that is refused.

    Raises what `find_engine` raises.
    """
    mount, _, rest = path.partition("/")
    if wanted == "dynamic":  # its paths are the same whatever the mount
        return Engine(wanted, mount, rest), None
    if wanted == "auto":
        return find_engine(session, path, wanted), None
    tried = Engine(wanted, mount, rest)
    reply = session.call(_reading(tried, version), _NOTHING)
    stored = _stored(tried, reply)
    if stored.data is not None or stored.gone:
        return tried, stored
    engine = find_engine(session, path, wanted)
    return engine, stored if engine == tried and reply.status == NOT_FOUND else None


def read_kv(session: VaultSession, engine: Engine, version: int | None = None) -> Stored:
    """Return what a KV engine holds, the newest version or the one given; it may be nothing."""
    return _stored(engine, session.call(_reading(engine, version), (NOT_FOUND,)))


def _reading(engine: Engine, version: int | None) -> Ask:
    if engine.kind == "kv1":
        return lambda vault: vault.secrets.kv.v1.read_secret(engine.rest, engine.mount)
    return lambda vault: vault.secrets.kv.v2.read_secret_version(
        engine.rest, version, engine.mount, raise_on_deleted_version=False
    )


def _stored(engine: Engine, reply: Answer) -> Stored:
    if engine.kind == "kv1" and reply.document.get("lease_id"):
        return Stored(None)  # made on request: another engine has been mounted there
    if engine.kind == "kv1":
        return Stored(reply.data if reply.status not in _NOTHING else None)
    data, metadata = reply.data.get("data"), object_in(reply.data.get("metadata"))
    gone = "deleted" if metadata.get("deletion_time") else ""
    return Stored(
        data if isinstance(data, dict) else None,
        whole_number(metadata.get("version")),
        time_in(metadata.get("created_time")),
        "destroyed" if metadata.get("destroyed") else gone,
    )


def _no_right(path: str, error: PermanentError) -> PermanentError:
    mount, _, rest = path.partition("/")
    _, semicolon, more = error.hint.partition(";")
    return PermanentError(
        Reason.FORBIDDEN,
        f"{error.detail}: the login may do nothing there, or nothing is mounted there",
        f'for KV 2 a policy of the login must have: path "{mount}/data/{rest}" '
        f'{{ capabilities = ["read"] }}; for anything else: path "{path}" '
        f'{{ capabilities = ["read"] }}; the mount: vault secrets list{semicolon}{more}',
    )
