"""Inspects the target `vault_kv`: logs in, asks what the login may do, and reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.inspection import Case, Found, ok
from rotator.targets.vault_kv import VaultKvTarget
from rotator.vault.inspect import CheckSession, lacking, logged_in, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rotator.config.targets import VaultKvTargetSettings
    from rotator.vault.engines import Engine


def inspect(settings: VaultKvTargetSettings, case: Case) -> Iterator[Found]:
    """Ask whether the secret may be read and written, and read it."""

    def secret(session: CheckSession, engine: Engine) -> Iterator[Found]:
        path = engine.read_path
        if found := refused(session, ("GET", path), ("POST", path)):
            yield from found
            return
        held = VaultKvTarget(settings, settings.policy(), session).read()
        yield ok(f"{path} can be read and written ({engine.kind})")
        if settings.keep_versions is not None and engine.kind == "kv2":
            destroy = f"{engine.mount}/destroy/{engine.rest}"
            yield from lacking(session, destroy, "old versions are not destroyed (`keep_versions`)")
        yield held

    return logged_in(settings, case, secret)
