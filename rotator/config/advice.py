"""What is probably not meant in a configuration that is right by its form.

It uses the text and the modes of files: it asks no server and reads no secret.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from rotator.config.explain import closest
from rotator.config.readers import configured
from rotator.config.sources import AwsSettings, SourceSettings
from rotator.config.target_common import TargetSettings
from rotator.core.docker_entry import DOCKER_HUB
from rotator.system.secret_input import readable_by_everybody

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path as FilePath

    from rotator.config.explain import Part, Path
    from rotator.config.load import Loaded
    from rotator.config.schema import Configuration

    Said = tuple[Path, str, str]

_WEB = "a web page; "
_NO_REGISTRIES = {
    r"hub\.docker\.com": "the web page of Docker Hub; its registry is docker.io",
    r"registry-1\.docker\.io": "where Docker Hub's images are; clients look for docker.io",
    r"registry\.hub\.docker\.com": "an old name of Docker Hub; clients look for docker.io",
    r"(.*\.)?docker\.com|(auth|registry|hub|www)\.docker\.io": "Docker's, and no registry's name; "
    "that of Docker Hub is docker.io",
    r"(www\.)?gitlab\.com": "GitLab's web page; its registry is registry.gitlab.com",
    r"([^.]+\.)*console\.aws\.amazon\.com": f"{_WEB}ECR's are ACCOUNT.dkr.ecr.REGION.amazonaws.com",
    r"(api\.)?ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?": "ECR's API; its registries are "
    "ACCOUNT.dkr.ecr.REGION.amazonaws.com",
    r"(www\.)?github\.com": f"{_WEB}GitHub's registry is ghcr.io",
    r"docker\.pkg\.github\.com": "closed; GitHub's registry is ghcr.io",
    r"quay\.io/(api|repository)(/.*)?": "a part of Quay's web page; its registry is quay.io",
    r"console\.cloud\.google\.com": f"{_WEB}the registry is REGION-docker.pkg.dev",
    r"(portal\.azure|([^.]+\.)?azure)\.com": f"{_WEB}the registry is NAME.azurecr.io",
}
_ECR_HOST = re.compile(r"[0-9]+\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws|on)\.")
_LOCAL = re.compile(r"(localhost|127\..*|\[?::1\]?)$")
_ADDRESSES = ("address", "url", "endpoint_url", "sts_endpoint_url")
_SECRETS = (
    *("token_file", "secret_id_file", "password_file", "client_key_file", "jwt_file"),
    *("web_identity_token_file", "kubeconfig"),
)


class Advice(NamedTuple):
    """What is probably not meant: `FILE:LINE:COLUMN`, what is there, and what to write instead."""

    where: str
    found: str
    todo: str


def advice(file: FilePath, loaded: Loaded) -> list[Advice]:
    """Return what is probably not meant in a configuration, in its order; `file`: its name."""
    document, reading = loaded.document, loaded.reading
    found: list[Said] = []
    for part in reading.parts.values():
        settings = reading.right.get(part.path)
        found += _part(part)
        if isinstance(settings, SourceSettings | TargetSettings):
            found += _settings(part, settings)
    found += _for_clients(reading.right[()])
    placed = sorted((document.place(path), text, todo) for path, text, todo in set(found))
    return [Advice(f"{file}:{at.line}:{at.column}", text, todo) for at, text, todo in placed]


def _for_clients(configuration: Configuration) -> Iterator[Said]:
    """Yield what programs will not take of the documents that would be published."""
    every = [
        (("rotations", r, "targets", t), rotation, target, target.in_common())
        for r, rotation in enumerate(configuration.rotations)
        for t, target in enumerate(rotation.targets)
    ]
    for path, mine, target, common in every:
        if not any("/" in registry for registry in {*mine.published(target)} - {DOCKER_HUB}):
            continue  # with hosts alone, all programs take what we write
        in_it = {
            registry
            for _, rotation, other, theirs in every
            if other is target or (theirs == common and other.is_same_place(target))
            for registry in rotation.published(other)
        }
        for problem in configured(target, in_it):
            yield path, f"`{target.target_name}`: {problem.what}", problem.todo


def _part(part: Part) -> Iterator[Said]:
    """Yield what the texts of one mapping say by themselves."""
    for key, value in part.data.items():
        path = (*part.path, key)
        if isinstance(value, str) and value != value.strip():
            yield path, f"`{key}` has a blank at an end", "leave the blank out, if it is not meant"
        named = [(path, value)] if key == "registry" else []
        if key == "registries" and isinstance(value, list):
            named = [((*path, number), one) for number, one in enumerate(value)]
        for place, registry in named:
            if isinstance(registry, str):
                yield from _host(place, re.sub(r"^https?://", "", registry))


def _host(place: Path, registry: str) -> Iterator[Said]:
    """Yield what a registry's host says by itself."""
    name, _, path = registry.lower().partition("/")
    host = name.partition(":")[0]
    for form, why in _NO_REGISTRIES.items():
        if re.fullmatch(form, host) or re.fullmatch(form, f"{host}/{path}"):
            yield place, f"`{registry}` is no registry: {why}", "write the registry's host"
            return
    ecr = _ECR_HOST.match(host)
    if ecr is not None:
        yield from _region(place, ecr[1])


def _settings(part: Part, settings: SourceSettings | TargetSettings) -> Iterator[Said]:
    """Yield what a source or a target says."""
    region = getattr(settings, "region", None)
    if isinstance(settings, AwsSettings) and isinstance(region, str):
        yield from _region((*part.path, "region"), region)
    for key in _ADDRESSES:
        address = urlsplit(str(getattr(settings, key, None) or ""))
        if address.scheme == "http" and not _LOCAL.match(address.hostname or ""):
            yield (
                (*part.path, key),
                f"`{key}`: logins and secrets travel unencrypted to {address.hostname}",
                "https://… (http is for a server on this machine)",
            )
    server = urlsplit(str(getattr(settings, "url", "")))
    if server.hostname == "gitlab.com" and server.path:
        yield (*part.path, "url"), "the server alone is wanted", "write https://gitlab.com"
    path = str(getattr(settings, "path", ""))
    if settings.type in {"vault", "vault_kv"}:
        yield from _vault_path((*part.path, "path"), path)
    if settings.type == "file" and path.endswith("/.docker"):
        yield (*part.path, "path"), "this is usually a directory", f"write {path}/config.json"
    for holder in (settings, getattr(settings, "auth", None)):
        for key in (*_SECRETS, *(["path"] if settings.type == "docker_config" else [])):
            secret = getattr(holder, key, None)
            open_to_all = readable_by_everybody(secret) if secret is not None else ""
            if open_to_all:
                inside = (*part.path, "auth", key) if holder is not settings else (*part.path, key)
                yield inside, open_to_all, f"chmod 600 {secret}"


def _vault_path(place: Path, path: str) -> Iterator[Said]:
    segments = path.removeprefix("v1/").split("/")
    if len(segments) > 2 and segments[1] in {"data", "metadata"}:  # noqa: PLR2004
        what = f"`{segments[1]}/` in this path is the HTTP API's form of it for KV 2"
        segments.pop(1)
    elif path.startswith("v1/"):
        what = "`v1/` in this path is the HTTP API's"
    else:
        return
    yield place, what, f"write it as `vault kv get` takes it: {'/'.join(segments)}"


def _region(place: Path, region: str) -> Iterator[Said]:
    from botocore.loaders import Loader  # noqa: PLC0415  slow, for AWS alone

    partitions = Loader().load_data("partitions")["partitions"]
    known = [name for one in partitions for name in one["regions"] if "global" not in name]
    if region not in known:
        near = closest(region, known)
        todo = f"did you mean {near}?" if near else "see whether it is the region's name"
        yield place, f"AWS's SDK knows no region `{region}`", todo
