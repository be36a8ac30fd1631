"""The fields of a docker config that Docker knows, and the type that it expects of each.

From docker/cli v29.8.0, cli/config/configfile/file.go (`ConfigFile`) and cli/config/types
(`AuthConfig`). GitLab Runner and go-containerregistry decode with the same structs. A known field
of another type fails the whole document there; `null` fits every type.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Members:
    """A JSON object's members in the order of the text, repeated names included."""

    pairs: tuple[tuple[str, Any], ...]


def folded(name: str) -> str:
    """Return a field's name as Go compares it: without the case of its letters.

    Two letters that are not ASCII count as ASCII ones: the long s as s, the Kelvin sign as k.
    """
    return name.replace("\u017f", "s").replace("\u212a", "k").lower()


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of Go: a string, or a list, map or struct of others.

    `of` is the type of a list's or map's elements, `fields` are a struct's, by their folded names.
    """

    name: str
    of: Kind | None = None
    fields: Mapping[str, Kind] = field(default_factory=dict)

    def fits(self, value: Any) -> bool:
        """Tell whether Go decodes this value into the type; an object may be a plain dict too."""
        if value is None:
            return True
        if self.of is None and not self.fields:
            return isinstance(value, str)
        if self.name == "list":
            return isinstance(value, list) and all(map(self._element.fits, value))
        if not isinstance(value, Members | dict):
            return False
        pairs = value.items() if isinstance(value, dict) else value.pairs
        if self.fields:
            known = ((self.fields.get(folded(name)), each) for name, each in pairs)
            return all(kind.fits(each) for kind, each in known if kind is not None)
        return all(self._element.fits(each) for _, each in pairs)

    @property
    def _element(self) -> Kind:
        assert self.of is not None  # noqa: S101  a list or a map has it
        return self.of

    def __str__(self) -> str:
        if self.of is None:
            return "an object" if self.fields else "a string"
        if self.name == "list":
            return "a list of strings"
        return "an object of strings" if self.of.name == "string" else "an object of objects"


_STRING = Kind("string")
_STRINGS = Kind("list", _STRING)
_BY_NAME = Kind("map", _STRING)
_PROXY = Kind(
    "struct",
    fields=dict.fromkeys(("httpproxy", "httpsproxy", "noproxy", "ftpproxy", "allproxy"), _STRING),
)

ENTRY_FIELDS = (
    "auth",
    "username",
    "password",
    "serveraddress",
    "identitytoken",
    "registrytoken",
    "email",
)
"""The fields of an entry, all strings; `email` for Docker before 29 only."""

ENTRY = Kind("struct", fields=dict.fromkeys(ENTRY_FIELDS, _STRING))

CONTAINERS_ENTRY = Kind("struct", fields=dict.fromkeys(("auth", "identitytoken"), _STRING))
"""The same for skopeo, podman and buildah, which read no more of an entry."""

FIELDS: Mapping[str, Kind] = {
    "auths": Kind("map", ENTRY),
    **dict.fromkeys(("HttpHeaders", "credHelpers", "aliases", "features"), _BY_NAME),
    **dict.fromkeys(
        (
            "psFormat",
            "imagesFormat",
            "networksFormat",
            "pluginsFormat",
            "volumesFormat",
            "statsFormat",
            "detachKeys",
            "credsStore",
            "serviceInspectFormat",
            "servicesFormat",
            "tasksFormat",
            "secretFormat",
            "configFormat",
            "nodesFormat",
            "currentContext",
        ),
        _STRING,
    ),
    **dict.fromkeys(("pruneFilters", "cliPluginsExtraDirs"), _STRINGS),
    "proxies": Kind("map", _PROXY),
    "plugins": Kind("map", _BY_NAME),
    # Docker before 29 knows these as well.
    **dict.fromkeys(("experimental", "stackOrchestrator"), _STRING),
}
"""Every field that Docker knows at the top of a document, as it is spelt."""

_KINDS = {folded(name): kind for name, kind in FIELDS.items()}


def is_one_field(name: str, other: str) -> bool:
    """Tell whether Docker takes two names for one field that it knows."""
    return folded(name) == folded(other) and folded(name) in _KINDS


def misfit(name: str, value: Any) -> str | None:
    """Return the type that Docker expects of a field, where the value has another one."""
    kind = _KINDS.get(folded(name))
    return None if kind is None or kind.fits(value) else str(kind)
