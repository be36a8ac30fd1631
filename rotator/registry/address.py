"""Which addresses a credential may be sent to, and what a registry's name tells."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from rotator.core.docker_entry import DOCKER_HUB
from rotator.http.client import NoAnswerError
from rotator.http.connections import is_loopback

# Docker Hub's key in `auths` is historical; its registry answers elsewhere.
_HUB_HOST = "registry-1.docker.io"
_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")

# ACCOUNT.dkr.ecr.REGION.amazonaws.com, its FIPS and dual-stack forms, and the public gallery.
_ECR = re.compile(r"[0-9]{12}\.dkr[.-]ecr(-fips)?\.[a-z0-9-]+\.[a-z0-9.-]+|public\.ecr\.aws")


class Access(Struct, frozen=True):
    """Whom a credential may be sent to without verified TLS.

    `insecure`: registries and token services, each `host[:port]`. Loopback is allowed always.
    """

    insecure: frozenset[str]

    def is_lax(self, host: str) -> bool:
        """Tell whether plain HTTP and unverified TLS are allowed with this host."""
        return host in self.insecure or is_loopback(host)

    def realm(self, host: str, realm: str) -> SplitResult:
        """Return the token service's address if the credential may go there.

        A registry names it over verified TLS, so it must be https too. Anybody may have written
        the answer of an insecure registry: its realm is itself, or is listed as insecure.
        """
        url = _plain_url(realm)
        if url is None:
            raise NoAnswerError("its challenge names no usable realm")
        if is_loopback(url.netloc):
            allowed = is_loopback(host)
        elif url.netloc in self.insecure:
            allowed = True
        elif self.is_lax(host):
            allowed = url.scheme == "https" and url.hostname == urlsplit(f"//{host}").hostname
        else:
            allowed = url.scheme == "https"
        if not allowed:
            raise NoAnswerError(
                f"it wants the login sent to {url.scheme}://{url.netloc}, which is not safe "
                f"(registry_access.insecure would allow it)"
            )
        return url


def host_of(registry: str) -> str:
    """Return the host that a registry is asked at; raise `NoAnswerError` where it names none."""
    host = _HUB_HOST if registry == DOCKER_HUB else registry.partition("/")[0]
    if _HOST.fullmatch(host) is None or _plain_url(f"https://{host}") is None:
        raise NoAnswerError("its name is not a host's")
    return host


def is_ecr(host: str, parameters: dict[str, str]) -> bool:
    """Tell whether this is Amazon's registry, by its name or by the challenge that it sent.

    Behind a name of its own (PrivateLink, a reverse proxy) only the challenge tells.
    """
    realm = parameters.get("realm", "").removeprefix("https://").rstrip("/")
    return any(_ECR.fullmatch(name) for name in (host.lower(), realm.lower()))


def _plain_url(text: str) -> SplitResult | None:
    """Return the URL if it is absolute, HTTP, and nothing but a host, path and query."""
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError:
        return None
    url = url._replace(netloc=url.netloc.lower(), fragment="")
    return url if url.scheme in ("http", "https") and _HOST.fullmatch(url.netloc) else None
