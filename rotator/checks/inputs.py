"""Checks the files and variables that the configuration names: secrets, tokens and certificates.

A server that gets a secret with something around it only says that it is wrong. Here is said what
is around it. Nothing of a secret is printed.
"""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import asdict

from rotator.config.sources import EcrPublicSourceSettings, EcrSourceSettings, VaultSourceSettings
from rotator.config.targets import VaultKvTargetSettings
from rotator.config.vault_auth import AwsAuthSettings
from rotator.core.errors import DriverError
from rotator.http.reading import base64_in
from rotator.system.input_file import open_plain
from rotator.system.secret_input import SECRET_SHAPES, SecretInput, wrappings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rotator.inspection import Findings

_CERTIFICATES = ("ca_file", "client_cert_file", "client_key_file")
_AWS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_LARGEST = 1 << 20


def inspect(settings: Struct, findings: Findings) -> None:
    """Write down what is wrong with the files and variables that a source or target names."""
    for key, value in named(settings):
        if key.endswith("_env"):
            _secret(SecretInput(env=str(value)), f"the environment variable {value}", findings)
        elif key in _CERTIFICATES:
            _certificate(value, key, findings)
        else:
            _secret(SecretInput(value), f"the secret file {value}", findings)
    if _asks_aws(settings):
        _aws_variables(findings)


def named(settings: Struct) -> Iterator[tuple[str, Path]]:
    """Yield each key that names a file or a variable, and the name; those in `auth` too."""
    for key, value in asdict(settings).items():
        if isinstance(value, Struct):
            yield from named(value)
        elif value is not None and key.endswith(("_file", "_env")):
            yield key, value


def _secret(where: SecretInput, what: str, findings: Findings) -> None:
    try:
        text = where.read().reveal()
    except DriverError as error:
        if not any(error.detail in finding.found for finding in findings.all):
            findings.failure(error.detail, error.hint)
        return
    for wrapping, _ in wrappings(text):
        findings.warning(
            f"{what} holds {wrapping}, unless that is part of it", "write the secret alone into it"
        )
    if text[:1] == "{" and '":' in text:
        findings.failure(
            f"{what} holds a JSON document", "write the secret alone: jq -r .auth.client_token"
        )
    elif _is_base64_of_a_token(text):
        findings.failure(f"{what} holds a token in base64", "write the token as it is: base64 -d")
    elif len(text.splitlines()) > 1 and not text.startswith("-----BEGIN"):
        findings.warning(f"{what} holds {len(text.splitlines())} lines", "a secret is one line")


def _is_base64_of_a_token(text: str) -> bool:
    inner = (base64_in(text) or b"").decode("utf-8", "replace")
    return not SECRET_SHAPES.match(text) and SECRET_SHAPES.match(inner) is not None


def _certificate(file: Path, key: str, findings: Findings) -> None:
    try:
        with open_plain(file) as opened:
            data = opened.read(_LARGEST)
    except OSError as error:
        findings.failure(
            f"`{key}`: cannot read {file}: {error.strerror}",
            f"correct the path, or make it readable for the user that runs rotator: ls -l {file}",
        )
        return
    problem = _not_pem(data, key, file)
    if problem:
        findings.failure(f"`{key}`: {file} {problem[0]}", problem[1])


def _not_pem(data: bytes, key: str, file: Path) -> tuple[str, str] | None:
    """Return what a file is that should hold PEM, and what to do; None where it holds it."""
    wanted = "PRIVATE KEY" if key == "client_key_file" else "CERTIFICATE"
    if f"{wanted}-----".encode() in data and b"-----BEGIN" in data:
        return _not_usable(data, key, file)
    if not data.strip():
        return "is empty", f"write the {wanted.lower()} there, as PEM"
    if data[:1] == b"0" and data[1:2] in {b"\x80", b"\x81", b"\x82", b"\x83"}:
        tool = "pkey" if key == "client_key_file" else "x509"
        return (
            "is DER (binary), and PEM (text) is wanted",
            f"name {file}.pem, made so: openssl {tool} -inform DER -in {file} -out {file}.pem",
        )
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return (
            "is UTF-16 text",
            f"iconv -f UTF-16 -t UTF-8 {file} > {file}.pem, and name {file}.pem",
        )
    if b"-----BEGIN" in data:
        begins = data.partition(b"-----BEGIN ")[2].partition(b"-----")[0].decode("ascii", "replace")
        return f"holds a {begins[:40]}, and a {wanted.lower()} is wanted", "name the right file"
    return f"holds no {wanted.lower()} in PEM", f"see what it is: file {file}"


def _not_usable(data: bytes, key: str, file: Path) -> tuple[str, str] | None:
    """Return what is wrong inside of a file in PEM."""
    if key == "client_key_file":
        if b"ENCRYPTED" not in data:
            return None
        plain = f"openssl pkey -in {file} -out {file}.plain, and name {file}.plain (mode 0600)"
        return "is encrypted, and nobody is there to type its passphrase", plain
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=data.decode())
    except (ValueError, ssl.SSLError):
        return "has a certificate in it that is damaged", f"see where: openssl x509 -in {file}"
    return None


def _asks_aws(settings: Struct) -> bool:
    if isinstance(settings, VaultSourceSettings | VaultKvTargetSettings):
        return isinstance(settings.auth, AwsAuthSettings)
    return isinstance(settings, EcrSourceSettings | EcrPublicSourceSettings)


def _aws_variables(findings: Findings) -> None:
    for name in _AWS:
        value = os.environ.get(name, "")
        if value != value.strip():
            findings.failure(
                f"the environment variable {name} has a blank or a line end at its end",
                f'set it without: export {name}="$(printf %s "${name}" | tr -d \'[:space:]\')"',
            )
        elif value[:1] in {'"', "'"}:
            findings.failure(f"the environment variable {name} is in quotes", "set it without them")
