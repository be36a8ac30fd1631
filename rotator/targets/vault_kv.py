"""Publishes into a key/value secret of Vault or OpenBao, for a fleet of hosts that reads there.

The mark stands in the secret's own data, as fields beside the document: so both are written in one
request, and in KV 2 one version number guards both.
https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#create-update-secret
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rotator.core.errors import ConflictError, DriverError, GoneError, PermanentError, Reason
from rotator.core.mark import from_annotations, to_annotations
from rotator.core.model import Held, Mark, Policy, Secret
from rotator.core.ports import Clock, Target
from rotator.http.reading import object_in
from rotator.vault.engines import Engine, Stored, find, read_kv
from rotator.vault.errors import whole_number
from rotator.vault.session import TARGET_PATIENCE, VaultSession, WithLogin, open_session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rotator.config.targets import VaultKvTargetSettings

_CAS_FAILED = "check-and-set"


def build(settings: VaultKvTargetSettings, policy: Policy, clock: Clock) -> VaultKvTarget:
    """Return the target; nothing is read and nobody is asked yet."""
    return VaultKvTarget(settings, policy, open_session(settings, clock, TARGET_PATIENCE))


@dataclass(frozen=True, slots=True)
class _Version:
    """What a read gave: the version number (0: none yet) and every field of the secret."""

    number: int = 0
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)


class VaultKvTarget(WithLogin, Target):
    """One field of a secret in KV 2, or in KV 1, which has no versions to compare."""

    def __init__(
        self, settings: VaultKvTargetSettings, policy: Policy, session: VaultSession
    ) -> None:
        super().__init__(settings.name, policy)
        self._settings = settings
        self._session = session
        self._engine: Engine | None = None
        self.compares = settings.engine != "kv1"

    def read(self) -> Held:
        """Return the field and the mark beside it; a deleted secret reads as nothing."""
        self._session.open()
        # Searched again after each failure, as a mount may have been replaced.
        engine, stored, self._engine = self._engine, None, None
        if engine is None:
            engine, stored = self._find()
        stored = stored or read_kv(self._session, engine)
        self._engine = engine
        self.compares = engine.kind == "kv2"
        fields = stored.data or {}
        text = fields.get(self._settings.field)
        if text is not None and not isinstance(text, str):
            raise GoneError(
                Reason.MALFORMED,
                f"the field `{self._settings.field}` of {self._place(engine)} is not text",
                "set `field` to another one; or, if nobody needs what is in it: "
                f"vault kv patch {engine.path} {self._settings.field}='{{}}'",
            )
        notes: tuple[str, ...] = ()
        if engine.api_path and not stored.version:
            # Else a document would be written where nobody reads it, and nobody would know.
            notes = (f"`path` seems to be the API's: write `path: {engine.api_path}`",)
        held, version = None if text is None else Secret(text), _Version(stored.version, fields)
        return Held(held, from_annotations(fields), version, notes=notes)

    def write(self, text: Secret, mark: Mark, replacing: Held) -> Held:
        """Write field and mark in one request; `ConflictError` where it is not the version read."""
        self._session.open()
        engine = self._engine or self._find()[0]
        before = replacing.version if isinstance(replacing.version, _Version) else _Version()
        fields = {**before.fields, **to_annotations(mark), self._settings.field: text}
        if engine.kind == "kv1":
            self._session.call(
                lambda vault: vault.secrets.kv.v1.create_or_update_secret(
                    engine.rest, fields, "POST", engine.mount
                )
            )
            return Held(text, mark, _Version(0, fields))
        try:
            data = self._session.call(
                lambda vault: vault.secrets.kv.v2.create_or_update_secret(
                    engine.rest, fields, before.number, engine.mount
                )
            ).data
        except PermanentError as error:
            if error.reason is Reason.INVALID and _CAS_FAILED in error.detail:
                why = f"{self._place(engine)} is no longer at version {before.number}"
                raise ConflictError(why) from None
            raise
        number = whole_number(data.get("version")) or before.number + 1
        return Held(text, mark, _Version(number, fields), notes=self._destroy_old(engine, number))

    def _destroy_old(self, engine: Engine, newest: int) -> tuple[str, ...]:
        """Destroy what `keep_versions` no longer keeps. A failure is a note: the write is done."""
        keep = self._settings.keep_versions
        if keep is None or newest <= keep:
            return ()
        try:
            known = self._session.call(
                lambda vault: vault.secrets.kv.v2.read_secret_metadata(engine.rest, engine.mount)
            ).data
            old = [n for n in _stored_versions(known) if n <= newest - keep]
            if old:
                self._session.call(
                    lambda vault: vault.secrets.kv.v2.destroy_secret_versions(
                        engine.rest, old, engine.mount
                    )
                )
        except DriverError as error:
            return (f"old versions were not destroyed: {error.detail}; {error.hint}",)
        return ()

    def _find(self) -> tuple[Engine, Stored | None]:
        engine, stored = find(self._session, self._settings.path, self._settings.engine)
        if engine.kind == "dynamic":
            raise PermanentError(
                Reason.INVALID,
                f"{self._place(engine)} is in no key/value engine",
                "set `path` to a secret in one: vault secrets list",
            )
        return engine, stored

    def _place(self, engine: Engine) -> str:
        return f"{engine.path} at {self._session.server}"


def _stored_versions(metadata: Mapping[str, Any]) -> list[int]:
    """Return the versions of a secret that hold something, deleted or not."""
    versions = object_in(metadata.get("versions")).items()
    return [
        int(number)
        for number, version in versions
        if re.fullmatch(r"[0-9]{1,10}", number) and not object_in(version).get("destroyed")
    ]
