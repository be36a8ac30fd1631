"""Takes what a person pasted apart, down to the docker config in it, and says what was around it.

A job's log, `kubectl get -o yaml`, `base64` and an editor each put something around a document.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from rotator.http.reading import base64_in, json_in, object_in

if TYPE_CHECKING:
    from rotator.inspection import Findings

LARGEST = 1 << 20
"""Bytes that are read of a document: a docker config is some kilobytes."""

_DEEPEST = 5
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_NAMED = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]+={0,2}\s*")
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_KINDS = ("Secret", "ConfigMap")
_KEYS = ("config.json", ".dockerconfigjson", ".dockercfg")
_LOGIN_FIELDS = {"auth", "username", "password", "identitytoken"}
_MASKED = "it says [MASKED]: GitLab's log hides the value, so this is not what the job had"
_Layer: TypeAlias = tuple[str, str]  # what was found around something, and what is inside
_PRINT_IT = (
    "print it so that the log shows it, in a job that nobody else can read: "
    "base64 -w0 ~/.docker/config.json; and give that to rotator check --document"
)


class _NoDocument(Exception):  # noqa: N818  never leaves this module
    """It is no document: what it is, and what to do."""


def unwrap(data: bytes, findings: Findings) -> str | None:
    """Return the docker config's text; None where there is none, after saying what it is."""
    try:
        text = _decoded(data, findings)
        for _ in range(_DEEPEST):
            _refuse_what_is_none(text.strip())
            layer = (
                _named(text)
                or _quoted(text)
                or _kubernetes(text)
                or _base64(text)
                or _in_a_log(text)
            )
            if layer is None:
                break
            what, text = layer
            findings.ok(what)
    except _NoDocument as none:
        findings.failure(*none.args)
        return None
    return _with_auths(text, findings)


def _decoded(data: bytes, findings: Findings) -> str:
    if len(data) > LARGEST:
        raise _NoDocument("it is larger than 1 MiB, and a docker config never is", "see what it is")
    again = "write it as UTF-8 without a byte order mark: an editor on Windows adds one"
    if data[:2] in _UTF_16:
        findings.failure("it is UTF-16 text, so no client can read it", again)
        return data.decode("utf-16", "replace")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        why = "it is not UTF-8 text, so no client can read it"
        raise _NoDocument(why, "write it again") from None
    if text.startswith("\ufeff"):
        findings.failure("it begins with a byte order mark, so no client can read it", again)
    return text.removeprefix("\ufeff")


def _refuse_what_is_none(bare: str) -> None:
    if not bare:
        raise _NoDocument(
            "it is empty: docker then goes on silently without a login",
            "see whether the job got the variable at all (protected? another environment?), or "
            "whether the file was truncated",
        )
    if "[MASKED]" in bare:
        raise _NoDocument(_MASKED, _PRINT_IT)
    if bare.startswith("/") and "\n" not in bare:
        raise _NoDocument(
            "it is a path, not a document: the variable is of type File, or it was echoed instead "
            "of the file's content",
            "make it a Variable, or: cp $DOCKER_AUTH_CONFIG ~/.docker/config.json",
        )
    if re.fullmatch(r"\$\{?\w+\}?", bare):
        raise _NoDocument(
            "it is a variable's name, not its value: nothing replaced it",
            "see whether the job got the variable at all (protected? another environment?)",
        )


def _named(text: str) -> _Layer | None:
    found = _NAMED.fullmatch(text.strip())
    if found is None or _BASE64.fullmatch(text):
        return None
    return (f"`{found[1]}=` is in front of the document", found[2])


def _quoted(text: str) -> _Layer | None:
    bare = text.strip()
    if len(bare) > 1 and bare[0] == bare[-1] == "'":
        return ("it is in single quotes", bare[1:-1])
    if bare[:1] == '"':
        inside = json_in(bare)
        if inside is None and bare[-1:] == '"' and '"auths"' in bare:
            inside = bare[1:-1]
        if isinstance(inside, str):
            return ("it is in double quotes", inside)
    return None


def _kubernetes(text: str) -> _Layer | None:
    """Return what is in a Secret or ConfigMap, from JSON or YAML, alone or in a list."""
    found = _mapping(text)
    listed = found.get("items")
    items = listed if isinstance(listed, list) else [found]
    objects = [one for one in items if isinstance(one, dict) and one.get("kind") in _KINDS]
    if not objects:
        return None
    for one in objects:
        texts = _texts(one)
        keys = [key for key in _KEYS if key in texts] or list(texts)[:1]
        if keys:
            about = object_in(one.get("metadata"))
            where = "/".join(str(about[key]) for key in ("namespace", "name") if about.get(key))
            return (f"it is the {one['kind']} {where}, key {keys[0]}", texts[keys[0]])
    what = f"it is a {objects[0]['kind']} without data"
    raise _NoDocument(what, "see what is in it: kubectl get -o yaml")


def _mapping(text: str) -> dict[str, Any]:
    found = json_in(text)
    if found is None and re.search(r"(?m)^kind:\s", text):
        import yaml  # noqa: PLC0415  most documents are not YAML

        with suppress(yaml.YAMLError, ValueError, RecursionError):
            found = yaml.safe_load(text)
    return object_in(found)


def _texts(one: dict[str, Any]) -> dict[str, str]:
    """Return the texts of an object by key."""
    texts: dict[str, str] = {}
    for part in ("data", "binaryData", "stringData"):
        for key, value in object_in(one.get(part)).items():
            if not isinstance(value, str):
                continue
            plain = part == "stringData" or (part == "data" and one["kind"] == "ConfigMap")
            data = None if plain else base64_in(value)
            # Somebody may have written it there as it is: see the findings.
            texts[str(key)] = value if data is None else data.decode("utf-8", "replace")
    return texts


def _base64(text: str) -> _Layer | None:
    if not _BASE64.fullmatch(text):
        return None
    bare = "".join(text.split())
    data = base64_in(bare + "=" * (-len(bare) % 4))
    with suppress(UnicodeDecodeError):
        return None if data is None else ("it is base64 of what follows", data.decode())
    return None


def _in_a_log(text: str) -> _Layer | None:
    """Return what a job's log has between other text: a document, or base64 of one."""
    plain = _COLOURS.sub("", text)
    if json_in(plain) is not None:
        return None if plain == text else ("a terminal's colours are in it", plain)
    begin = re.search(r'\{\s*"auths"', plain, re.IGNORECASE)
    if begin is not None:
        with suppress(ValueError, RecursionError):
            _, end = json.JSONDecoder().raw_decode(plain, begin.start())
            return ("text stands around it, as in a log", plain[begin.start() : end])
    for line in plain.splitlines():
        last = line.split()[-1:]
        layer = _base64(last[0]) if last and last != [plain.strip()] else None
        if layer is not None and '"auths"' in layer[1]:
            return (f"{layer[0]}; text stands around it, as in a log", layer[1])
    return None


def _with_auths(text: str, findings: Findings) -> str:
    """Return the document, with `auths` around its hosts where that is all that is missing."""
    found = json_in(text)
    if not isinstance(found, dict) or "auths" in {str(key).lower() for key in found}:
        return text
    hosts = [
        key
        for key, value in found.items()
        if isinstance(value, dict) and _LOGIN_FIELDS & {str(name).lower() for name in value}
    ]
    if not hosts:
        return text
    findings.failure(
        "its hosts have no `auths` around them, so clients find no login in it",
        'write {"auths": {HOST: …}}; Kubernetes takes this older form as kubernetes.io/dockercfg',
    )
    return json.dumps({"auths": {key: found[key] for key in hosts}})
