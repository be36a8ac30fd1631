"""Puts our credentials into somebody's docker config, and leaves everything else as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from rotator.core.docker_config import DockerConfig
from rotator.core.docker_entry import entry_of, is_decodable, registry_key
from rotator.core.docker_fields import folded

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from rotator.core.model import Credential


class MergeResult(Struct, frozen=True):
    """A merged document, and what had to be taken out of it.

    `left_out`: keys of other people's entries, and top-level fields, that clients can't decode.
    `helpers`: the registries of ours that `credHelpers` gave to a credential helper.
    """

    config: DockerConfig
    left_out: tuple[str, ...]
    helpers: tuple[str, ...] = ()


def merge(
    config: DockerConfig,
    ours: Iterable[Credential],
    remove: frozenset[str] = frozenset(),
    theirs: frozenset[str] = frozenset(),
) -> MergeResult:
    """Put our credentials into somebody's document; everything else stays.

    `remove`: the registries whose entries are taken out. `theirs`: the registries of ours whose
    entry another rotator wrote and which stays; other spellings of its key are taken out.

    Clients must find one entry for each of our registries, whatever they look for:

    - Every key that means the registry is replaced by the one key that all clients find.
    - A key in capitals gets the same entry, and stays beside it: Docker compares letter by letter,
      and images may be named so.
    - A credential helper for it is taken out: clients would ask the helper instead.

    An entry that no client can decode is left out, as it breaks its neighbours: Docker then loses
    good hosts at random, GitLab Runner the whole document. So is a field of a wrong type.
    """
    entries = {credential.registry: entry_of(credential) for credential in ours}
    managed = remove | entries.keys() | theirs
    others: dict[str, Any] = {}
    for key, entry in config.auths.items():
        registry = registry_key(key)
        if registry in remove:
            continue
        if registry not in managed:
            others[key] = entry
        elif key != registry and key.lower() == registry:  # in capitals
            others[key] = entries.get(registry, config.auths.get(registry, entry))
        elif key == registry and registry in theirs:
            others[key] = entry
    usable = {key: entry for key, entry in others.items() if is_decodable(entry)}
    mistyped = config.mistyped()
    rest = {name: value for name, value in config.rest.items() if name not in mistyped}
    helpers = tuple(
        sorted(key for key in DockerConfig({}, rest).helpers if registry_key(key) in managed)
    )
    if helpers:
        rest = {name: _without(name, value, helpers) for name, value in rest.items()}
        rest = {name: value for name, value in rest.items() if value != {}}
    left_out = (*sorted(others.keys() - usable.keys()), *mistyped)
    return MergeResult(DockerConfig({**usable, **entries}, rest), left_out, helpers)


def _without(name: str, value: Any, helpers: Collection[str]) -> Any:
    """Return a top-level field, `credHelpers` without these registries."""
    if folded(name) != "credhelpers" or not isinstance(value, dict):
        return value
    return {key: helper for key, helper in value.items() if key not in helpers}
