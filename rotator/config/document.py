"""Reads the YAML text: every scalar as it is written, with the place of each key and value.

A plain parser would turn an unquoted account 012345670123, mode 0600 or `prove: off` into other
values, so only null is not a text here; the key's type decides what a text means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from rotator.config.typed import completed
from rotator.core.errors import ConfigError
from rotator.system.input_file import open_plain

if TYPE_CHECKING:
    from pathlib import Path as FilePath

    from rotator.config.explain import Path

# Far above what anybody writes, and low enough that no document takes more than seconds.
LARGEST_FILE = 256 * 1024
MOST_VALUES = 10_000
DEEPEST = 40

_TOO_MANY = f"there are more than {MOST_VALUES} values"
_CORE = "tag:yaml.org,2002:"
_MERGE = _CORE + "merge"
_NULL = _CORE + "null"
_TAGS = {
    _CORE + name
    for name in "str int float bool null timestamp value merge map seq".split(" ")  # noqa: SIM905  a word list
}
_STAR = "a value that begins with * or & needs quotes around it"

# For the parser's messages that don't say what to do. Some would repeat the text.
_MESSAGES = {
    r"'\t'": "there is a tab; indent with spaces",
    "mapping values are not allowed": "a second `: ` in one line (a value that holds one needs"
    " quotes), or a key that is indented wrongly",
    "undefined alias": _STAR,
    "expected alphabetic or numeric character": _STAR,
    "cannot start any token": "a value that begins with @, ` or % needs quotes around it",
    "expected <block end>": "this line is indented differently from those before it",
    "could not find expected ':'": "a `key: value` is wanted; the colon is missing",
    "found unexpected end of stream": "quotes or brackets are not closed",
    "expected the node content": "a value is wanted here",
    "found unknown escape": r"a backslash in double quotes; use single quotes",
    "but found another document": "there is a second document after `---`; keep one",
}


class Place(NamedTuple):
    """A line and a column, both from 1."""

    line: int
    column: int


class Document:
    """The content of a file: texts, None, lists and dicts; and where each of them is."""

    def __init__(self, root: yaml.Node | None) -> None:
        self.problems: list[tuple[Place, str]] = []
        self._places: dict[tuple[Path, bool], Place] = {((), False): Place(1, 1)}
        self._values = 0
        self._ancestors: list[yaml.Node] = []
        self.data = None if root is None else self._value(root, ())

    def place(self, path: Path, *, at_key: bool = False) -> Place:
        """Return where the key or value at a path is, or else its nearest parent."""
        found = self._places.get((path, at_key))
        return found if found is not None else self.place(path[:-1])

    def _value(self, node: yaml.Node, path: Path) -> Any:
        self._enter(node)
        self._places[path, False] = _place(node.start_mark)
        if node.tag not in _TAGS:
            message = "YAML tags are not known here; leave it out"
            self.problems.append((_place(node.start_mark), message))
        value: Any
        if isinstance(node, yaml.MappingNode):
            value = self._mapping(node, path)
        elif isinstance(node, yaml.SequenceNode):
            value = [self._value(item, (*path, n)) for n, item in enumerate(node.value)]
        else:
            value = None if node.tag == _NULL else node.value
        self._ancestors.pop()
        return value

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key, value, merged in self._pairs(node):
            here = (*path, key.value)
            if key.value in mapping:
                if not merged:
                    first = self.place(here, at_key=True)
                    message = f"`{key.value}` is there twice, first in line {first.line}; keep one"
                    self.problems.append((_place(key.start_mark), message))
                continue
            self._places[here, True] = _place(key.start_mark)
            mapping[key.value] = self._value(value, here)
        return mapping

    def _pairs(self, node: yaml.MappingNode) -> list[tuple[yaml.ScalarNode, yaml.Node, bool]]:
        """Return a mapping's keys and values, then those that it merges in (`<<: *other`)."""
        own, merged = [], []
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or not key.value:
                raise _Unreadable("a key must be a word", key.start_mark)
            if key.tag != _MERGE:
                own.append((key, value, False))
                continue
            for other in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if not isinstance(other, yaml.MappingNode):
                    raise _Unreadable("`<<` takes the alias of a mapping", other.start_mark)
                self._enter(other)
                merged += [(k, v, True) for k, v, _ in self._pairs(other)]
                self._ancestors.pop()
        return own + merged

    def _enter(self, node: yaml.Node) -> None:
        self._values += 1
        if self._values > MOST_VALUES:
            raise _Unreadable(_TOO_MANY, node.start_mark)
        if any(node is ancestor for ancestor in self._ancestors):
            raise _Unreadable("an alias is inside of what it stands for", node.start_mark)
        self._ancestors.append(node)


class _Unreadable(Exception):  # noqa: N818  never leaves this module
    """The text as a whole can't be understood; where that became clear."""

    def __init__(self, message: str, mark: yaml.Mark) -> None:
        super().__init__(message)
        self.message = message
        self.place = _place(mark)


class _Loader(yaml.SafeLoader):
    """Composes nodes, no more and no deeper than time and Python's own stack bear."""

    depth = 0
    values = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Return the next node, or raise `_Unreadable`."""
        self.depth += 1
        self.values += 1
        start = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        if self.depth > DEEPEST:
            raise _Unreadable(f"it is nested more than {DEEPEST} deep", start)
        if self.values > 2 * MOST_VALUES:  # keys are nodes too
            raise _Unreadable(_TOO_MANY, start)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def read(file: FilePath) -> Document:
    """Read a file as a document; raise `ConfigError` where that can't be done at all."""
    try:
        with open_plain(file) as opened:
            raw = opened.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "no path can have a NUL in it"
        first = (
            completed("write a first one: rotator init; or ", file)
            if isinstance(error, FileNotFoundError)
            else ""
        )
        todo = f"{first}name another with --config or $ROTATOR_CONFIG"
        raise ConfigError([f"{file}:1:1: cannot be read: {why}; {todo}"]) from None
    if len(raw) > LARGEST_FILE:
        raise ConfigError([f"{file}:1:1: is larger than {LARGEST_FILE // 1024} KiB"])
    try:
        return Document(_Loader(raw.decode("utf-8-sig")).get_single_node())
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8-sig", "replace")
        place, why = _end_of(before), "is not a text in UTF-8"
    except yaml.reader.ReaderError as error:
        place, why = _end_of(raw.decode("utf-8-sig")[: error.position]), "has a control character"
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(1, 1) if mark is None else _place(mark)
        problem = error.problem or ""
        messages = (message for part, message in _MESSAGES.items() if part in problem)
        why = "is not YAML: " + next(messages, problem)
    except _Unreadable as error:
        place, why = error.place, error.message
    raise ConfigError([f"{file}:{place.line}:{place.column}: {why}"])


def _place(mark: yaml.Mark) -> Place:
    return Place(mark.line + 1, mark.column + 1)


def _end_of(text: str) -> Place:
    return Place(text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1)
