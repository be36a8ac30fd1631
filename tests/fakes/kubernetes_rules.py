"""What the API server finds wrong with ConfigMaps and Secrets, and how it says so.

Taken from its source: pkg/apis/core/validation and apimachinery/pkg/api/errors in
https://github.com/kubernetes/kubernetes.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any

KINDS = {"configmaps": "ConfigMap", "secrets": "Secret", "serviceaccounts": "ServiceAccount"}
LARGEST = 1024 * 1024
LARGEST_ANNOTATIONS = 256 * 1024
PULL_SECRET = "kubernetes.io/dockerconfigjson"
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_QUALIFIED = re.compile(rf"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?{_NAME}")
_LABEL = re.compile(rf"({_NAME})?")

Body = dict[str, Any]
Cause = tuple[str, str, str]
"""Reason, message and field of one thing that is wrong."""


class StatusError(Exception):
    """An answer of kind Status."""

    def __init__(self, code: int, reason: str, message: str, details: Body | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.body: Body = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            **({"details": details} if details else {}),
            "code": code,
        }


def invalid(plural: str, name: str, causes: list[Cause]) -> StatusError:
    """Return 422, as field validation answers it."""
    kind = KINDS.get(plural, "")
    said = [f"{where or '[]'}: {message}" for _, message, where in causes]
    text = said[0] if len(said) == 1 else f"[{', '.join(said)}]"
    listed = [{"reason": r, "message": m, "field": f or "[]"} for r, m, f in causes]
    details = {"name": name, "kind": kind, "causes": listed}
    return StatusError(422, "Invalid", f'{kind} "{name}" is invalid: {text}', details)


def terminating(plural: str, namespace: str, name: str) -> StatusError:
    message = (
        f'{plural} "{name}" is forbidden: unable to create new content in namespace {namespace}'
        " because it is being terminated"
    )
    cause = {
        "reason": "NamespaceTerminating",
        "message": f"namespace {namespace} is being terminated",
        "field": "metadata.namespace",
    }
    details = {"name": name, "kind": plural, "causes": [cause]}
    return StatusError(403, "Forbidden", message, details)


def undecodable(plural: str, body: Body) -> str | None:
    """Return why the object is not of its kind; what base64 holds nobody else checks."""
    binary = "data" if plural == "secrets" else "binaryData"
    for name in ("data", "binaryData"):
        for value in (body.get(name) or {}).values():
            if not isinstance(value, str):
                return f"json: cannot unmarshal into Go struct field {name} of type string"
            if name == binary:
                try:
                    base64.b64decode(value, validate=True)
                except binascii.Error:
                    return "illegal base64 data at input byte 0"
    return None


def wrong(plural: str, body: Body) -> list[Cause]:
    """Return what validation finds wrong with an object by itself."""
    data, binary = body.get("data") or {}, body.get("binaryData") or {}
    encoded = [*(data.values() if plural == "secrets" else ()), *binary.values()]
    plain = data.values() if plural == "configmaps" else ()
    size = sum(len(v.encode()) for v in plain) + sum(len(base64.b64decode(v)) for v in encoded)
    causes = _wrong_metadata(body["metadata"])
    for key in (*data, *binary):
        if not _KEY.fullmatch(key):
            message = f'Invalid value: "{key}": a valid config key must consist of'
            causes.append(("FieldValueInvalid", message, f"data[{key}]"))
    for key in data.keys() & binary.keys():
        message = f'Invalid value: "{key}": duplicate of key present in binaryData'
        causes.append(("FieldValueInvalid", message, f"data[{key}]"))
    if size > LARGEST:
        where = "data" if plural == "secrets" else ""
        message = f"Too long: may not be more than {LARGEST} bytes"
        causes.append(("FieldValueTooLong", message, where))
    return causes + (_wrong_pull_secret(data) if body.get("type") == PULL_SECRET else [])


def _wrong_metadata(metadata: Body) -> list[Cause]:
    causes: list[Cause] = []
    annotations, labels = metadata.get("annotations") or {}, metadata.get("labels") or {}
    if sum(len(k.encode()) + len(v.encode()) for k, v in annotations.items()) > LARGEST_ANNOTATIONS:
        message = f"Too long: may not be more than {LARGEST_ANNOTATIONS} bytes"
        causes.append(("FieldValueTooLong", message, "metadata.annotations"))
    for where, named in (("annotations", annotations), ("labels", labels)):
        for key in named:
            if not _QUALIFIED.fullmatch(key):
                message = f'Invalid value: "{key}": name part must consist of alphanumeric'
                causes.append(("FieldValueInvalid", message, f"metadata.{where}"))
    for value in labels.values():
        if not _LABEL.fullmatch(value):
            message = f'Invalid value: "{value}": a valid label must be an empty string or'
            causes.append(("FieldValueInvalid", message, "metadata.labels"))
    return causes


def _wrong_pull_secret(data: Body) -> list[Cause]:
    where = "data[.dockerconfigjson]"
    if ".dockerconfigjson" not in data:
        return [("FieldValueRequired", "Required value", where)]
    try:
        json.loads(base64.b64decode(data[".dockerconfigjson"]))
    except ValueError:
        message = 'Invalid value: "<secret contents redacted>": invalid character'
        return [("FieldValueInvalid", message, where)]
    return []


def wrong_change(plural: str, old: Body, new: Body) -> list[Cause]:
    """Return what validation finds wrong with a change."""
    causes: list[Cause] = []
    if plural == "secrets" and old.get("type") != new.get("type", old.get("type")):
        message = f'Invalid value: "{new.get("type")}": field is immutable'
        causes.append(("FieldValueInvalid", message, "type"))
    if old.get("immutable"):
        causes += [
            ("FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set", name)
            for name in ("immutable", "data", "binaryData")
            if (old.get(name) or {}) != (new.get(name) or {})
        ]
    return causes
