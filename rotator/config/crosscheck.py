"""What one part of a configuration says about another.

Runs over whatever is right in a document, so that all mistakes are reported at once.
Only what is certainly wrong is an error: where a source's registries are known after a fetch only,
nothing is said about them.
"""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import combinations
from typing import TYPE_CHECKING

from rotator.config.draft import Draft, Found, drafts
from rotator.config.explain import Problem, meant_keys
from rotator.config.rules import names
from rotator.config.schema import RetrySettings
from rotator.config.sources import AwsSettings, DockerConfigSourceSettings
from rotator.config.targets import FileTargetSettings
from rotator.core.model import Content, Merge

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rotator.config.document import Document
    from rotator.config.explain import Part, Path
    from rotator.config.reading import Reading
    from rotator.config.target_common import TargetSettings

# What clients add to an address by themselves, and what a browser shows behind it.
_GITLAB_PATH = re.compile(r"/(api|groups|dashboard|explore|admin|-|users)(/.*)?$")
_VAULT_PATH = re.compile(r"/(v1|ui)(/.*)?$")

# A token lives 12 h, and even with the earliest renewal a tenth of that is over before the next.
ECR_COVERS = timedelta(hours=12) * 0.9


def crosscheck(document: Document, reading: Reading) -> Iterator[Problem]:
    """Yield every problem between keys, parts and rotations of a document that has been read."""
    for part in reading.parts.values():
        yield from _rules(part)
        yield from _more_than_a_server(part)
        yield from _login_without_certificate(part)
        yield from _retry_backwards(part, reading)
    rotations = drafts(reading)
    named = [(rotation.path, rotation.name) for rotation in rotations if rotation.name]
    yield from _names_twice(document, named, "rotation")
    for rotation in rotations:
        sources = [(one.path, one.name) for one in rotation.sources]
        yield from _names_twice(document, sources, "source")
        yield from _registry_twice(document, rotation)
        shared = list(_place_twice(document, rotation))
        yield from shared
        reported = {problem.path for problem in shared}
        targets = [(one.path, one.name) for one in rotation.targets if one.path not in reported]
        yield from _names_twice(document, targets, "target")
        yield from _too_long_jobs(rotation)
        yield from _registries_from_nowhere(rotation)
        yield from _removed_and_given(rotation)
        yield from _own_target_read(rotation)
    for one, other in combinations([r for r in rotations if r.enabled], 2):
        yield from _shared_places(document, one, other)


def _rules(part: Part) -> Iterator[Problem]:
    """Check one mapping; a key that is missing only because it is misspelt is not missed."""
    meant = meant_keys(part)
    for broken in (broken for rule in part.settings.rules() for broken in rule.broken(part.data)):
        if meant.isdisjoint(broken.missing):
            path = part.path if broken.key is None else (*part.path, broken.key)
            yield Problem(path, broken.message, at_key=broken.key is not None)


def _more_than_a_server(part: Part) -> Iterator[Problem]:
    """What stands behind the server's address would be in it twice."""
    for key, pattern in (("url", _GITLAB_PATH), ("address", _VAULT_PATH)):
        value = str(part.data.get(key))
        found = pattern.search(value)
        if found is not None and part.settings.keys().get(key) is not None:
            message = f"`{key}`: the server alone is wanted, without `{found[0].rstrip('/')}`"
            yield Problem((*part.path, key), f"{message} at its end: {pattern.sub('', value)}")


def _login_without_certificate(part: Part) -> Iterator[Problem]:
    auth = part.data.get("auth")
    if not isinstance(auth, dict) or auth.get("method") != "cert":
        return
    keys = part.settings.keys()
    if "auth" in keys and part.data.get("client_cert_file") is None:
        yield Problem((*part.path, "auth"), "`method: cert` needs `client_cert_file` beside `auth`")


def _retry_backwards(part: Part, reading: Reading) -> Iterator[Problem]:
    retry = reading.right.get(part.path)
    if isinstance(retry, RetrySettings) and retry.initial > retry.max:
        yield Problem(part.path, "`initial` is longer than `max`")


def _names_twice(
    document: Document, named: Iterable[tuple[Path, str | None]], kind: str
) -> Iterator[Problem]:
    first: dict[str, Path] = {}
    for path, name in named:
        if name is None:
            continue
        if name in first:
            line = document.place(first[name]).line
            message = f"the name `{name}` is that of the {kind} in line {line} already"
            yield Problem((*path, "name"), f"{message}; give each {kind} a `name` of its own")
        first.setdefault(name, path)


def _registry_twice(document: Document, rotation: Draft) -> Iterator[Problem]:
    first: dict[str, Path] = {}
    for source in rotation.sources:
        known = None if source.settings is None else source.settings.known_registries()
        for registry in sorted(known or ()):
            if registry in first:
                line = document.place(first[registry]).line
                message = f"`{registry}` comes from the source in line {line} already"
                yield Problem(source.path, f"{message}; one source is enough for a registry")
            first.setdefault(registry, source.path)


def _place_twice(document: Document, rotation: Draft) -> Iterator[Problem]:
    for (first, one), (path, other) in combinations(_right(rotation.targets), 2):
        if one.is_same_place(other):
            line = document.place(first).line
            message = f"this is the place that the target in line {line} writes"
            yield Problem(path, f"{message}; keep one of them, or give each its own place")


def _too_long_jobs(rotation: Draft) -> Iterator[Problem]:
    if rotation.longest_job is None or rotation.longest_job <= ECR_COVERS:
        return
    sources = [one.settings for one in rotation.sources if isinstance(one.settings, AwsSettings)]
    for _, target in _right(rotation.targets):
        if target.follows or not any(_may_serve(source, target) for source in sources):
            continue
        yield Problem(
            (*rotation.path, "longest_job"),
            f"`longest_job`: an ECR token lives 12 h, so a job can count on it for 10 h 48 m at"
            f" most in `{target.target_name}`; write less, or `follows: true` on that target if"
            f" running jobs see its updates (a mounted directory, not a single file)",
        )


def _may_serve(source: AwsSettings, target: TargetSettings) -> bool:
    policy = target.policy()
    known = source.known_registries()
    if known is not None:
        return any(policy.wants(registry) for registry in known)
    wanted = {target.registry} if policy.registries is None else policy.registries
    return wanted == {None} or any(".dkr" in str(registry) for registry in wanted)


def _registries_from_nowhere(rotation: Draft) -> Iterator[Problem]:
    known = rotation.known_registries()
    if known is None:
        return
    for path, target in _right(rotation.targets):
        if target.registry is not None and target.registry not in known:
            message = f"`registry`: no source of this rotation gives `{target.registry}`"
            yield Problem((*path, "registry"), f"{message}; they give {_listed(known)}")
        for number, registry in enumerate(target.registries or ()):
            if registry not in known:
                message = f"`registries`: no source of this rotation gives `{registry}`"
                yield Problem(
                    (*path, "registries", number), f"{message}; they give {_listed(known)}"
                )


def _removed_and_given(rotation: Draft) -> Iterator[Problem]:
    for number, registry in enumerate(rotation.remove):
        for source in rotation.sources:
            if source.settings and registry in (source.settings.known_registries() or ()):
                message = f"`remove`: a source of this rotation gives `{registry}`"
                yield Problem((*rotation.path, "remove", number), f"{message}; drop one of the two")


def _own_target_read(rotation: Draft) -> Iterator[Problem]:
    files = {t.path for _, t in _right(rotation.targets) if isinstance(t, FileTargetSettings)}
    for source in rotation.sources:
        read = source.settings
        if isinstance(read, DockerConfigSourceSettings) and read.path in files:
            yield Problem(
                (*source.path, "path"),
                "`path`: a target of this rotation writes this file; read another one",
            )


def _shared_places(document: Document, one: Draft, other: Draft) -> Iterator[Problem]:
    """Two rotations may share a place as long as each has registries of its own there."""
    for first, mine in _right(one.targets):
        for path, theirs in _right(other.targets):
            if not (mine.enabled and theirs.enabled and mine.is_same_place(theirs)):
                continue
            line = document.place(first).line
            where = f"rotation `{one.name}` (line {line}) writes this place too"
            if _takes_all(mine) or _takes_all(theirs):
                yield Problem(path, f"{where}, and each would undo what the other wrote")
            elif both := one.published(mine) & other.published(theirs):
                yield Problem(path, f"{where}, and {_listed(both)} there; keep one of them")


def _takes_all(target: TargetSettings) -> bool:
    return target.merge is Merge.REPLACE or target.content is not Content.DOCKER_CONFIG


def _right(targets: Iterable[Found[TargetSettings]]) -> list[tuple[Path, TargetSettings]]:
    return [(one.path, one.settings) for one in targets if one.settings is not None]


def _listed(registries: Iterable[str]) -> str:
    return names(sorted(registries), "and")
