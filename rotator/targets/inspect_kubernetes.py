"""Checks the targets `kubernetes_secret` and `kubernetes_configmap`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec import structs

from rotator.core.errors import DriverError, PermanentError, Reason
from rotator.core.model import Content, Held, Mark, Secret
from rotator.http.reading import object_in
from rotator.inspection import (
    LONGEST,
    SECONDS,
    Case,
    Finding,
    Found,
    Level,
    failed,
    failure,
    ok,
    warning,
)
from rotator.kubernetes.errors import ask
from rotator.kubernetes.place import Place, cluster_role, rules
from rotator.system.each import ThreadedEach
from rotator.targets.kubernetes import KubernetesTarget, Settings, build
from rotator.targets.kubernetes_group import KubernetesGroup

if TYPE_CHECKING:
    from collections.abc import Iterator


_MOST_MEMBERS = 16  # that are asked of a group; the others have the same Role and settings

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def inspect(settings: Settings, case: Case) -> Iterator[Found]:
    """Ask the API server what we may do with the object, read it, and try a write as a dry run."""
    target = build(settings, settings.policy(), case.clock)
    if isinstance(target, KubernetesGroup):
        yield from _group(target, settings, case)
    else:
        yield from _object(target, settings, case)
    if settings.follows:
        yield warning(
            "`follows: true` holds only for jobs that mount the whole volume: a `sub_path` mount "
            "never changes in a running pod",
            "mount it without `sub_path`, or take `follows` out",
        )
    else:
        yield ok(
            "jobs that mount it with `sub_path` keep the document that they started with; a whole "
            "volume follows within about a minute"
        )


def _group(group: KubernetesGroup, settings: Settings, case: Case) -> Iterator[Found]:
    """Check some members; a mistake that several of them share is reported once."""
    if group.lists and not _may(group.place, "list"):
        yield failure("we may not list namespaces", group.place.rule("list"))
        return
    members = [one for one in group.members() if isinstance(one, KubernetesTarget)]
    if not members:
        yield warning(
            "no namespace fits, so nothing is published",
            f"see which there are: {group.place.access.kubectl('get namespaces --show-labels')}",
        )
        return
    asked = members[:_MOST_MEMBERS]
    bad = _wrong_with(asked, settings, case)
    for one, count in _distinct(bad):
        more = f" (and {count - 1} more like it)" if count > 1 else ""
        yield replace(one, about="", found=f"{one.about}: {one.found}{more}")
    if group.lists and any("we may not" in one.found for one in bad):
        first, accounts = asked[0], settings.service_accounts or ()
        needed = rules(first.place.plural, settings.name, accounts, lists=group.lists)
        yield failure(
            "its account lacks rights in some of the namespaces",
            "the least that it needs, for a ClusterRoleBinding, as an account that may: "
            f"echo '{cluster_role(needed)}' | " + group.place.access.kubectl("apply -f -"),
        )
    elif not bad:
        yield ok(
            f"{len(members)} namespaces fit now, and in {len(asked)} of them the object can be "
            "read, made and changed"
        )


def _wrong_with(asked: list[KubernetesTarget], settings: Settings, case: Case) -> list[Finding]:
    """Return what is not ok with these members, all asked at once."""

    def look(member: KubernetesTarget) -> list[Finding]:
        found: list[Finding] = []
        alone = structs.replace(
            settings, namespace=member.place.namespace, namespaces=None, namespace_selector=None
        )
        try:
            for one in _object(member, settings, case):
                found += case.published(alone, one, case) if isinstance(one, Held) else [one]
        except DriverError as error:
            found.append(failed(error))
        return found

    answers = ThreadedEach(longest=LONGEST)(look, asked, SECONDS)
    return [
        replace(one, about=member.name)
        for member, answer in zip(asked, answers, strict=True)
        for one in ([failed(answer)] if isinstance(answer, Exception) else answer)
        if one.level is not Level.OK
    ]


def _distinct(bad: list[Finding]) -> list[tuple[Finding, int]]:
    """Return the first of the findings that differ in the namespace only, and how many they are."""
    alike: dict[tuple[Level, str], list[Finding]] = {}
    for one in bad:
        namespace = one.about.partition(":")[2].partition("/")[0]
        alike.setdefault((one.level, one.found.replace(namespace, "")), []).append(one)
    return [(found[0], len(found)) for found in alike.values()]


def _object(target: KubernetesTarget, settings: Settings, case: Case) -> Iterator[Finding | Held]:
    place = target.place
    accounts = [
        Place("serviceaccount", place.namespace, name, "", place.access)
        for name in settings.service_accounts or ()
    ]
    wanted = [(place, verb) for verb in ("get", "create", "patch")]
    wanted += [(account, verb) for account in accounts for verb in ("get", "patch")]
    refused = [(one, verb) for one, verb in wanted if not _may(one, verb)]
    for one, verb in refused:
        so = ", so it can't be made, now or after somebody deletes it" * (verb == "create")
        yield failure(f"we may not {verb} {one}{so}", one.rule(verb))
    if (place, "get") in refused:
        return
    held = target.read()
    for note in held.notes:
        todo = place.replace_it() if "immutable" in note else place.keep_type()
        yield failure(f"{place}: {note}", todo)
    if not refused and not held.notes:
        stand_in = '{"auths":{}}' if settings.content is Content.DOCKER_CONFIG else "check"
        mark = held.mark or Mark({}, "hmac:000000000000", case.rotation.name)
        try:
            target.probe_write(held.text or Secret(stand_in), mark, held)
        except DriverError as error:
            yield failure(f"a write would fail: {error.detail}", error.hint)
        else:
            yield ok(f"{place} can be read, made and changed")
    yield held


def _may(place: Place, verb: str) -> bool:
    """Ask for one verb; where even asking is forbidden, yes is assumed until it is tried."""
    # A create or list names nothing when it is judged.
    named = {"name": place.object_name} if verb in ("get", "patch") else {}
    about = {"group": "", "namespace": place.namespace, "resource": place.plural, "verb": verb}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": about | named},
    }
    try:
        answer = ask(place, verb, lambda connection: connection.send("POST", _REVIEWS, review))
    except PermanentError as error:
        if error.reason is not Reason.FORBIDDEN:
            raise
        return True
    return bool(object_in(answer.get("status")).get("allowed", True))
