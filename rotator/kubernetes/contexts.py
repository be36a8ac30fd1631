"""Reads kubeconfigs: files are merged, a context is chosen, and each field has to be known.

https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import yaml
from msgspec import Struct
from msgspec.structs import replace

from rotator.core.model import Secret
from rotator.decoding import convert
from rotator.kubernetes.kubeconfig import (
    Cluster,
    Context,
    KubeconfigError,
    Plugin,
    Selected,
    User,
)
from rotator.system.input_file import read_plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    _Parts = dict[tuple[str, str], tuple[Mapping[str, Any], Path]]

Part = TypeVar("Part", bound=Struct)


class _Entry(Struct):
    name: str
    cluster: dict[str, Any] | None = None
    user: dict[str, Any] | None = None
    context: dict[str, Any] | None = None


class _Document(Struct, rename="kebab"):
    clusters: list[_Entry] | None = None
    users: list[_Entry] | None = None
    contexts: list[_Entry] | None = None
    current_context: str | None = None


def load(paths: Sequence[Path], context: str | None) -> Selected:
    """Return what a context says, the current one without `context`.

    As kubectl does, the first file that sets a name or the current context wins, and a missing file
    is passed over. Raises `KubeconfigError`, and `OSError` for a file that is unreadable.
    """
    found, current = _merged(paths)
    context = context or current

    def part(kind: type[Part], called: str, name: str) -> Part:
        if (called, name) not in found:
            raise KubeconfigError(f"there is no {name!r} in its `{called}s`")
        return _made(kind, called, *found[called, name])

    if not context:
        raise KubeconfigError("it has no `current-context`, and no `context` is configured")
    chosen = part(Context, "context", context)
    cluster = part(Cluster, "cluster", chosen.cluster)
    if not chosen.user:
        return Selected(cluster)
    user, folder = part(User, "user", chosen.user), found["user", chosen.user][1]
    plugin = _made(Plugin, "exec", user.exec, folder) if user.exec else None
    # Only a command with a slash is a path; others are found in $PATH.
    if plugin and "/" in plugin.command:
        plugin = replace(plugin, command=str(folder / plugin.command))
    return Selected(cluster, user, plugin)


def _merged(paths: Sequence[Path]) -> tuple[_Parts, str | None]:
    """Return the fields and the folder of each part, and the current context."""
    found: _Parts = {}
    current: str | None = None
    for path in paths:
        try:
            document = _document(path)
        except FileNotFoundError:
            continue
        current = current or document.current_context
        for kind in ("cluster", "user", "context"):
            here: _Parts = {}
            for entry in getattr(document, f"{kind}s") or ():
                if (kind, entry.name) in here:
                    raise KubeconfigError(f"`{kind}s` in {path} has the name {entry.name!r} twice")
                here[kind, entry.name] = getattr(entry, kind) or {}, path.parent
            found = here | found
    return found, current


def _document(path: Path) -> _Document:
    try:
        document = yaml.safe_load(read_plain(path))
        return convert({} if document is None else document, _Document)
    except msgspec.ValidationError as error:
        raise KubeconfigError(f"{path} is no kubeconfig: {error}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        # The exception's own text can repeat a line of the file, and with it a token.
        raise KubeconfigError(f"{path} is not YAML") from None


def _made(kind: type[Part], called: str, fields: Mapping[str, Any], folder: Path) -> Part:
    """Return a part of a kubeconfig; relative paths in it are below `folder`."""
    known = [field.encode_name for field in msgspec.structs.fields(kind)]
    for name in fields:
        if name not in known:
            meant = get_close_matches(str(name), known, 1)
            raise KubeconfigError(
                f"the field `{name}` of its {called} is none that a kubeconfig has"
                f"{f'; did you mean `{meant[0]}`?' if meant else ''}"
            )

    def text(wanted: type[Any], value: object) -> Any:
        if not isinstance(value, str):
            raise TypeError("Expected `str`")
        return folder / value if wanted is Path else Secret(value)

    given = {name: value for name, value in fields.items() if value is not None and value != ""}
    for name, value in given.items():
        if name.endswith("-data") and isinstance(value, str):
            given[name] = "".join(value.split())
    try:
        return convert(given, kind, text)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        field = re.split(r"[.\[`]", where)[0]
        raise KubeconfigError(f"the field `{field}` of its {called}: {what}") from None
