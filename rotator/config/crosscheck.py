"""What one part of a configuration says about another.

Runs over whatever is right in a document, so that all mistakes are reported at once.
Only what is certainly wrong is an error: where a source's registries are known after a fetch only,
nothing is said about them.
"""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from rotator.config.explain import Problem, meant_keys
from rotator.config.schema import RetrySettings, RotationSettings
from rotator.config.settings import names
from rotator.config.sources import AwsSettings
from rotator.config.target_common import NamedTargetSettings
from rotator.core.model import Content, Merge

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rotator.config.document import Document
    from rotator.config.explain import Part, Path
    from rotator.config.reading import Reading
    from rotator.config.sources import SourceSettings
    from rotator.config.target_common import TargetSettings

# What clients add to an address by themselves, and what a browser shows behind it.
_GITLAB_PATH = re.compile(r"/(api|groups|dashboard|explore|admin|-|users)(/.*)?$")
_VAULT_PATH = re.compile(r"/(v1|ui)(/.*)?$")

# A token lives 12 h, and even with the earliest renewal a tenth of that is over before the next.
ECR_COVERS = timedelta(hours=12) * 0.9


class Draft(Struct, frozen=True):
    """A rotation as far as it is right: settings by their paths, and names, right or not.

    `known`: the registries that its sources give; None where one is wrong or does not know.
    `by_place`: the targets that may write the same place.
    """

    path: Path
    name: str
    enabled: bool
    longest_job: timedelta | None
    remove: tuple[str, ...]
    source_names: Mapping[Path, Any]
    target_names: Mapping[Path, Any]
    sources: Mapping[Path, SourceSettings]
    targets: Mapping[Path, TargetSettings]
    known: frozenset[str] | None
    by_place: Mapping[tuple[Any, ...], Sequence[Path]]

    def published(self, target: TargetSettings) -> frozenset[str]:
        """Return the registries that are certainly in the docker config of a target."""
        certain = self.known if target.registries is None else target.registries
        return frozenset(certain or ())


def crosscheck(document: Document, reading: Reading) -> Iterator[Problem]:
    """Yield every problem between keys, parts and rotations of a document that has been read."""
    for part in reading.parts.values():
        yield from _rules(part)
        yield from _more_than_a_server(part)
        yield from _login_without_certificate(part)
        yield from _retry_backwards(part, reading)
    parts = [part for part in reading.parts.values() if part.settings is RotationSettings]
    rotations = [_draft(part, reading) for part in parts]
    yield from _names_twice(document, "rotation", {one.path: one.name for one in rotations})
    for rotation in rotations:
        yield from _names_twice(document, "source", rotation.source_names)
        yield from _registry_twice(document, rotation)
        shared = list(_place_twice(document, rotation))
        yield from shared
        reported = {problem.path for problem in shared}
        others = {at: name for at, name in rotation.target_names.items() if at not in reported}
        yield from _names_twice(document, "target", others)
        yield from _too_long_jobs(rotation)
        yield from _registries_from_nowhere(rotation)
        yield from _removed_and_given(rotation)
    for one, other in combinations([r for r in rotations if r.enabled], 2):
        yield from _shared_places(document, one, other)


def _draft(part: Part, reading: Reading) -> Draft:
    path, right = part.path, reading.right
    sources, targets = (
        [one for one in reading.parts.values() if one.path[:-1] == (*path, key)]
        for key in ("sources", "targets")
    )
    set_right = {one.path: right[one.path] for one in targets if one.path in right}
    by_place: dict[tuple[Any, ...], list[Path]] = {}
    for at, target in set_right.items():
        by_place.setdefault(target.in_common(), []).append(at)
    known = [source.known_registries() for source in right.get((*path, "sources"), ())] or [None]
    return Draft(
        path=path,
        name=str(part.data.get("name") or ""),
        enabled=right.get((*path, "enabled")) is not False,
        longest_job=right.get((*path, "longest_job")),
        remove=right.get((*path, "remove"), ()),
        source_names={one.path: one.data.get("name") for one in sources},
        target_names={one.path: _target_name(one, right.get(one.path)) for one in targets},
        sources={one.path: right[one.path] for one in sources if one.path in right},
        targets=set_right,
        known=None if None in known else frozenset().union(*known),
        by_place=by_place,
    )


def _target_name(part: Part, settings: TargetSettings | None) -> Any:
    if settings is not None:
        return settings.target_name
    # The key `name` of a Kubernetes target is its object's name, not its own.
    return part.data.get("name") if issubclass(part.settings, NamedTargetSettings) else None


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


def _names_twice(document: Document, kind: str, named: Mapping[Path, Any]) -> Iterator[Problem]:
    first: dict[str, Path] = {}
    for path, name in named.items():
        if name and isinstance(name, str) and first.setdefault(name, path) != path:
            line = document.place(first[name]).line
            message = f"the name `{name}` is that of the {kind} in line {line} already"
            yield Problem((*path, "name"), f"{message}; give each {kind} a `name` of its own")


def _registry_twice(document: Document, rotation: Draft) -> Iterator[Problem]:
    first: dict[str, Path] = {}
    for path, source in rotation.sources.items():
        for registry in sorted(source.known_registries() or ()):
            if first.setdefault(registry, path) != path:
                line = document.place(first[registry]).line
                message = f"`{registry}` comes from the source in line {line} already"
                yield Problem(path, f"{message}; one source is enough for a registry")


def _place_twice(document: Document, rotation: Draft) -> Iterator[Problem]:
    pairs = (pair for paths in rotation.by_place.values() for pair in combinations(paths, 2))
    for first, path in pairs:
        if rotation.targets[first].is_same_place(rotation.targets[path]):
            message = (
                f"this is the place that the target in line {document.place(first).line} writes"
            )
            yield Problem(path, f"{message}; keep one of them, or give each its own place")


def _too_long_jobs(rotation: Draft) -> Iterator[Problem]:
    if rotation.longest_job is None or rotation.longest_job <= ECR_COVERS:
        return
    sources = [one for one in rotation.sources.values() if isinstance(one, AwsSettings)]
    for target in rotation.targets.values():
        if not target.follows and any(_may_serve(source, target) for source in sources):
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
    if rotation.known is None:
        return
    for path, target in rotation.targets.items():
        wanted: list[tuple[Path, str | None]] = [((*path, "registry"), target.registry)]
        wanted += [((*path, "registries", n), one) for n, one in enumerate(target.registries or ())]
        for place, registry in wanted:
            if registry is not None and registry not in rotation.known:
                message = f"`{place[len(path)]}`: no source of this rotation gives `{registry}`"
                yield Problem(place, f"{message}; they give {_listed(rotation.known)}")


def _removed_and_given(rotation: Draft) -> Iterator[Problem]:
    given = {r for source in rotation.sources.values() for r in source.known_registries() or ()}
    for number, registry in enumerate(rotation.remove):
        if registry in given:
            message = f"`remove`: a source of this rotation gives `{registry}`"
            yield Problem((*rotation.path, "remove", number), f"{message}; drop one of the two")


def _shared_places(document: Document, one: Draft, other: Draft) -> Iterator[Problem]:
    """Two rotations may share a place as long as each has registries of its own there."""
    pairs = (
        pair
        for place in one.by_place.keys() & other.by_place.keys()
        for pair in product(one.by_place[place], other.by_place[place])
    )
    for first, path in pairs:
        mine, theirs = one.targets[first], other.targets[path]
        if not (mine.enabled and theirs.enabled and mine.is_same_place(theirs)):
            continue
        where = f"rotation `{one.name}` (line {document.place(first).line}) writes this place too"
        if _takes_all(mine) or _takes_all(theirs):
            yield Problem(path, f"{where}, and each would undo what the other wrote")
        elif both := one.published(mine) & other.published(theirs):
            yield Problem(path, f"{where}, and {_listed(both)} there; keep one of them")


def _takes_all(target: TargetSettings) -> bool:
    return target.merge is Merge.REPLACE or target.content is not Content.DOCKER_CONFIG


def _listed(registries: Iterable[str]) -> str:
    return names(sorted(registries), "and")
