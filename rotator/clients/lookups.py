"""Which login each program uses for a registry, or why it uses none.

One function a program, each in the order in which that program decides.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from rotator.clients import refusals
from rotator.core.docker_entry import DOCKER_HUB, registry_key, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from rotator.clients.document import Document, Entry

_HUB = "docker.io"
_HUB_NAMES = ("docker.io", "index.docker.io", "registry-1.docker.io")


class Consumer(StrEnum):
    """A program that reads a docker config, named as a person knows it."""

    RUNNER = "GitLab Runner"
    DOCKER_FILE = "Docker"
    DOCKER_VARIABLE = "Docker ≥ 28.3 with $DOCKER_AUTH_CONFIG"
    CONTAINERS = "skopeo, podman and buildah"


class Verdict(NamedTuple):
    """What a program does for one registry: it uses the login under `key`, or not, and why.

    `at_random`: it uses the login in some runs and not in others.
    """

    taken: bool
    why: str = ""
    key: str | None = None
    at_random: bool = False


def docker_file(document: Document, registry: str) -> Verdict:
    """docker/cli: `Load`, then `GetCredentialsStore` and `fileStore.Get`."""
    host = _host(registry)
    helper = document.helpers.get(host, document.store)
    if why := refusals.docker(document):
        return Verdict(taken=False, why=why)
    if broken := refusals.broken(document):
        # Entries are decoded in a random order, and the first broken one ends that.
        why = f"{broken}, and what Docker decodes before it is chance"
        return Verdict(taken=False, why=why, at_random=True)
    if helper:
        return Verdict(taken=False, why=f"it asks docker-credential-{shown(helper)} instead")
    if host in document.auths:
        return _uses(document, registry, host)
    return _docker_uses_any(document, registry, host)


def _docker_uses_any(document: Document, registry: str, host: str) -> Verdict:
    """docker/cli: what `fileStore.Get` does where there is no exact key."""
    keys = [key for key in document.auths if host != DOCKER_HUB and _docker_hostname(key) == host]
    if not keys:
        return Verdict(taken=False, why=_no_key(document, registry))
    if len({_login(document.auths[key]) for key in keys}) > 1:
        names = " and ".join(map(shown, sorted(keys)))
        return Verdict(taken=False, why=f"it takes {names} at random", at_random=True)
    return _uses(document, registry, keys[0])


def docker_variable(document: Document, registry: str) -> Verdict:
    """docker/cli: `parseEnvConfig` and the memory store, which knows exact keys only."""
    if why := refusals.variable(document):
        return Verdict(taken=False, why=f"it ignores the whole variable: {why}")
    host = _host(registry)
    if host not in document.auths:
        why = _no_key(document, registry)
        if any(_docker_hostname(key) == host for key in document.auths):
            why = f"it knows the exact key {shown(host)} only"
        return Verdict(taken=False, why=why)
    return _uses(document, registry, host)


def runner(document: Document, registry: str) -> Verdict:
    """GitLab Runner: `readConfigsFromReader`, `AllConfigs` and `ConfigForImage`."""
    if why := refusals.runner(document):
        return Verdict(taken=False, why=why)
    by_path = {runner_path(key): key for key in sorted(document.auths, reverse=True)}
    path = next((each for each in _upwards(runner_path(registry)) if each in by_path), None)
    if path is None:
        return Verdict(taken=False, why=_no_key(document, registry))
    return _uses(document, registry, by_path[path])


def containers(document: Document, registry: str) -> Verdict:
    """containers/image: `findCredentialsInFile`, with exact paths before host names."""
    if why := refusals.containers(document):
        return Verdict(taken=False, why=why)
    path = _HUB if registry == DOCKER_HUB else registry
    host = path.partition("/")[0]
    if host in document.helpers:
        helper = shown(document.helpers[host])
        return Verdict(taken=False, why=f"they ask docker-credential-{helper} instead")
    key = next((each for each in _upwards(path) if each in document.auths), None)
    keys = [key] if key else [k for k in document.auths if _normal(k) == _hub_as_index(host)]
    if not keys:
        return Verdict(taken=False, why=_no_key(document, registry))
    if len({document.auths[key].login for key in keys}) > 1:
        names = " and ".join(map(shown, sorted(keys)))
        return Verdict(taken=False, why=f"they take {names} at random", at_random=True)
    if document.auths[keys[0]].login is None:
        return Verdict(taken=False, why=f"the entry {shown(keys[0])} holds no login", key=keys[0])
    return _uses(document, registry, keys[0])


LOOKUPS: Mapping[Consumer, Callable[[Document, str], Verdict]] = {
    Consumer.RUNNER: runner,
    Consumer.DOCKER_FILE: docker_file,
    Consumer.DOCKER_VARIABLE: docker_variable,
    Consumer.CONTAINERS: containers,
}


def runner_path(reference: str) -> str:
    """GitLab Runner: `convertToRegistryPath`."""
    lower = reference.lower()
    for scheme in ("https://", "http://"):
        if lower.startswith(scheme):
            host = lower.removeprefix(scheme).partition("/")[0]
            return _HUB if host == f"index.{_HUB}" else host
    path = reference.removesuffix("/")
    last, colon = path.rfind("/"), path.rfind(":")
    if -1 < last < colon:
        path = path[:colon]
    host, slash, rest = path.partition("/")
    return host.lower() + slash + rest


def _uses(document: Document, registry: str, key: str) -> Verdict:
    """Return the verdict on the key that a program built on Docker's code chose for a registry."""
    if not document.auths[key].gives_docker_a_login:
        return Verdict(taken=False, why=f"the entry {shown(key)} holds no login", key=key)
    if "/" in registry and registry != DOCKER_HUB and "/" not in key:
        why = f"the login of {shown(key)} is used for every path of that host"
        return Verdict(taken=False, why=why, key=key)
    exact = document.auths.get(registry)
    if exact is not None and exact.login != document.auths[key].login:
        return Verdict(taken=False, why=f"the login of {shown(key)} is used instead", key=key)
    return Verdict(taken=True, key=key)


def _no_key(document: Document, registry: str) -> str:
    other = sorted(key for key in document.auths if registry_key(key) == registry_key(registry))
    if other:
        return f"not under the name {shown(other[0])}"
    return "there is no entry for it"


def _host(registry: str) -> str:
    return registry if registry == DOCKER_HUB else registry.partition("/")[0]


def _docker_hostname(key: str) -> str:
    """docker/cli: `ConvertToHostname`."""
    if "://" in key:
        try:
            network = urlsplit(key).netloc.rpartition("@")[2]
        except ValueError:
            network = ""
        if network:
            return network.removesuffix(":")
    return key.partition("/")[0]


def _normal(key: str) -> str:
    """containers/image: `normalizeAuthFileKey` and `normalizeRegistry`."""
    bare = key.removeprefix("http://").removeprefix("https://")
    return _hub_as_index(bare if bare == key else bare.partition("/")[0])


def _hub_as_index(host: str) -> str:
    return "index.docker.io" if host in _HUB_NAMES else host


def _upwards(path: str) -> Iterable[str]:
    """Return a path and those above it, down to its host."""
    while path:
        yield path
        path = path.rpartition("/")[0]


def _login(entry: Entry) -> object:
    return (entry.login, entry.plain, entry.token)
