"""What is probably not meant in a configuration that is right by its form.

It uses the text and the modes of files: it asks no server and reads no secret.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from rotator.config.document import read
from rotator.config.load import reading_of
from rotator.config.sources import AwsSettings, SourceSettings
from rotator.config.target_common import TargetSettings
from rotator.system.open_files import readable_by_everybody

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path as FilePath

    from rotator.config.explain import Part, Path

_NO_REGISTRIES = {
    "hub.docker.com": "the web page of Docker Hub; its registry is docker.io",
    "registry-1.docker.io": "where Docker Hub's images are; clients look for docker.io",
    "registry.hub.docker.com": "an old name of Docker Hub; clients look for docker.io",
    "quay.io/api": "Quay's API; its registry is quay.io",
    "gitlab.com": "GitLab's web page; its registry is registry.gitlab.com",
    "console.aws.amazon.com": "a web page; ECR's are ACCOUNT.dkr.ecr.REGION.amazonaws.com",
    "github.com": "a web page; GitHub's registry is ghcr.io",
    "console.cloud.google.com": "a web page; the registry is REGION-docker.pkg.dev",
    "portal.azure.com": "a web page; the registry is NAME.azurecr.io",
}
_LOCAL = re.compile(r"(localhost|127\..*|\[?::1\]?)$")
_SECRETS = ("token_file", "secret_id_file", "password_file", "client_key_file", "jwt_file")


class Advice(NamedTuple):
    """What is probably not meant: `FILE:LINE:COLUMN`, what is there, and what to write instead."""

    where: str
    found: str
    todo: str


def advice(file: FilePath, environ: Mapping[str, str]) -> list[Advice]:
    """Return what is probably not meant in a configuration file, in its order."""
    document = read(file)
    reading = reading_of(file, document, environ)
    found: list[tuple[Path, str, str]] = []
    for part in reading.parts.values():
        settings = reading.right.get(part.path)
        found += _part(part)
        if isinstance(settings, SourceSettings | TargetSettings):
            found += _settings(part, settings)
    placed = sorted((document.place(path), text, todo) for path, text, todo in set(found))
    return [
        Advice(f"{file}:{place.line}:{place.column}", text, todo) for place, text, todo in placed
    ]


def _part(part: Part) -> Iterator[tuple[Path, str, str]]:
    """Yield what the texts of one mapping say by themselves."""
    for key, value in part.data.items():
        path = (*part.path, key)
        if isinstance(value, str) and value != value.strip():
            yield path, f"`{key}` has a blank at an end", "leave the blank out, if it is not meant"
        for place, registry in _registries(path, key, value):
            why = _NO_REGISTRIES.get(registry.rstrip("/").lower())
            if why:
                yield place, f"`{registry}` is no registry: {why}", "write the registry's host"


def _registries(path: Path, key: str, value: Any) -> Iterator[tuple[Path, str]]:
    if key == "registry" and isinstance(value, str):
        yield path, re.sub(r"^https?://", "", value)
    elif key == "registries" and isinstance(value, list):
        for number, one in enumerate(value):
            if isinstance(one, str):
                yield (*path, number), re.sub(r"^https?://", "", one)


def _settings(
    part: Part, settings: SourceSettings | TargetSettings
) -> Iterator[tuple[Path, str, str]]:
    """Yield what a source or a target says."""
    region = getattr(settings, "region", None)
    if isinstance(settings, AwsSettings) and isinstance(region, str):
        known = _regions()
        if known and region not in known:
            from difflib import get_close_matches  # noqa: PLC0415  only a mistake needs it

            near = get_close_matches(region, known, n=1)
            todo = f"did you mean {near[0]}?" if near else "see whether it is the region's name"
            yield (*part.path, "region"), f"AWS's SDK knows no region `{region}`", todo
    address = urlsplit(str(getattr(settings, "address", "")))
    if address.scheme == "http" and not _LOCAL.match(address.hostname or ""):
        yield (
            (*part.path, "address"),
            "the login and the secrets of this Vault travel unencrypted",
            "https://… (http is for a Vault on this machine)",
        )
    segments = str(getattr(settings, "path", "")).split("/")
    if settings.type in {"vault", "vault_kv"} and len(segments) > 2 and segments[1] == "data":  # noqa: PLR2004
        plain = "/".join([segments[0], *segments[2:]])
        yield (
            (*part.path, "path"),
            "`data/` in this path is the HTTP API's form of it for KV 2",
            f"write it as `vault kv get` takes it: {plain}",
        )
    for holder in (settings, getattr(settings, "auth", None)):
        for key in _SECRETS:
            secret = getattr(holder, key, None)
            open_to_all = readable_by_everybody(secret) if secret is not None else ""
            if open_to_all:
                inside = (*part.path, "auth", key) if holder is not settings else (*part.path, key)
                yield inside, open_to_all, f"chmod 600 {secret}"


def _regions() -> list[str]:
    """Return the regions that AWS's own SDK lists; none where it has no such list."""
    from botocore.exceptions import DataNotFoundError  # noqa: PLC0415  slow, for AWS alone
    from botocore.loaders import Loader  # noqa: PLC0415

    try:
        partitions = Loader().load_data("partitions")["partitions"]
    except DataNotFoundError:
        return []
    return [name for one in partitions for name in one["regions"] if "global" not in name]
