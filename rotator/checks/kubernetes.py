"""Checks the targets `kubernetes_secret` and `kubernetes_configmap`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from rotator.checks import registry
from rotator.checks.case import SECONDS, TIMEOUTS
from rotator.checks.finding import Finding, Level, Sheet
from rotator.core.errors import DriverError, PermanentError, Reason
from rotator.core.model import Content, Mark, Secret
from rotator.kubernetes.access import Access
from rotator.kubernetes.errors import ask
from rotator.kubernetes.place import Place
from rotator.kubernetes.role import manifest, rules
from rotator.system.each import ThreadedEach
from rotator.targets.kubernetes import KubernetesTarget, build
from rotator.targets.kubernetes_group import KubernetesGroup

if TYPE_CHECKING:
    from rotator.checks.case import Case
    from rotator.config.targets import (
        KubernetesConfigMapTargetSettings,
        KubernetesSecretTargetSettings,
    )
    from rotator.core.model import Held

    Settings = KubernetesConfigMapTargetSettings | KubernetesSecretTargetSettings

VERBS = ("get", "create", "patch")
MOST_MEMBERS = 16
"""Members of a group that are asked; the others have the same Role and the same settings."""

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def check(settings: Settings, case: Case, sheet: Sheet) -> None:
    """Ask the API server what we may do with the object, read it, and try a write as a dry run."""
    connect, read = TIMEOUTS
    access = Access(
        settings.kubeconfig,
        settings.context,
        connect_seconds=connect,
        read_seconds=read,
        plugin_seconds=read,
    )
    target = build(settings, settings.policy(), case.clock, access)
    if isinstance(target, KubernetesGroup):
        _group(target, settings, case, sheet)
    elif isinstance(target, KubernetesTarget):
        _object(target, settings, case, sheet)
    if settings.follows:
        sheet.warning(
            "`follows: true` holds only for jobs that mount the whole volume: a `sub_path` mount "
            "never changes in a running pod",
            "mount it without `sub_path`, or take `follows` out",
        )
    else:
        sheet.ok(
            "jobs that mount it with `sub_path` keep the document that they started with; a whole "
            "volume follows within about a minute"
        )


def _group(group: KubernetesGroup, settings: Settings, case: Case, sheet: Sheet) -> None:
    """Check some members; what is wrong with several of them is said once."""
    if group.lists and not _may(group.place, "list"):
        sheet.failure("we may not list namespaces", group.place.rule("list"))
        return
    members = [one for one in group.members() if isinstance(one, KubernetesTarget)]
    if not members:
        sheet.warning(
            "no namespace fits, so nothing is published",
            f"see which there are: {group.place.access.kubectl('get namespaces --show-labels')}",
        )
        return
    asked = members[:MOST_MEMBERS]
    bad = _wrong_with(asked, settings, case)
    for one, count in _told_once(bad):
        more = f" (and {count - 1} more like it)" if count > 1 else ""
        tell = sheet.failure if one.level is Level.FAILURE else sheet.warning
        tell(f"{one.about}: {one.found}{more}", one.todo)
    if group.lists and any("we may not" in one.found for one in bad):
        needed = rules(asked[0].place.plural, settings.name, _accounts(settings), lists=group.lists)
        sheet.failure(
            "its account lacks rights in some of the namespaces",
            "the least that it needs, for a ClusterRoleBinding, as an account that may: "
            f"echo '{manifest('ClusterRole', '', needed)}' | "
            + group.place.access.kubectl("apply -f -"),
        )
    elif not bad:
        sheet.ok(
            f"{len(members)} namespaces fit now, and in {len(asked)} of them the object can be "
            "read, made and changed"
        )


def _wrong_with(asked: list[KubernetesTarget], settings: Settings, case: Case) -> list[Finding]:
    """Return what is not ok with these members, all asked at once."""
    sheets = {one.name: Sheet(one.name) for one in asked}

    def look(member: KubernetesTarget) -> None:
        where = {"namespace": member.place.namespace, "namespaces": None}
        alone = replace(settings, **where, namespace_selector=None)
        _object(member, alone, case, sheets[member.name])

    for member, answer in zip(asked, ThreadedEach()(look, asked, SECONDS), strict=True):
        if isinstance(answer, Exception):
            sheets[member.name].error(answer)
    return [one for each in sheets.values() for one in each.findings if one.level is not Level.OK]


def _told_once(bad: list[Finding]) -> list[tuple[Finding, int]]:
    """Return the first of the findings that differ in the namespace only, and how many they are."""
    alike: dict[tuple[Level, str], list[Finding]] = {}
    for one in bad:
        namespace = one.about.partition(":")[2].partition("/")[0]
        alike.setdefault((one.level, one.found.replace(namespace, "")), []).append(one)
    return [(found[0], len(found)) for found in alike.values()]


def _object(target: KubernetesTarget, settings: Settings, case: Case, sheet: Sheet) -> None:
    place = target.place
    refused = [verb for verb in VERBS if not _may(place, verb)]
    for verb in refused:
        sheet.failure(
            f"we may not {verb} {place}"
            + (", so it can't be made, now or after somebody deletes it" * (verb == "create")),
            place.rule(verb),
        )
    for name in _accounts(settings):
        account = Place("serviceaccount", place.namespace, name, "", place.access)
        for verb in ("get", "patch"):
            if not _may(account, verb):
                refused.append(f"{verb} {account}")
                sheet.failure(f"we may not {verb} {account}", account.rule(verb))
    if "get" in refused:
        return
    held = target.read()
    for note in held.notes:
        sheet.failure(f"{place}: {note}", _unchangeable(place, note))
    if not refused and not held.notes and _try(target, settings, case, held, sheet):
        sheet.ok(f"{place} can be read, made and changed")
    registry.published(settings, held, case, sheet)


def _unchangeable(place: Place, note: str) -> str:
    return place.replace_it() if "immutable" in note else place.keep_type()


def _try(
    target: KubernetesTarget, settings: Settings, case: Case, held: Held, sheet: Sheet
) -> bool:
    """Ask the server whether it would take a write; nothing is changed."""
    stand_in = '{"auths":{}}' if settings.content is Content.DOCKER_CONFIG else "check"
    mark = held.mark or Mark({}, "hmac:000000000000", case.rotation.name)
    try:
        target.probe_write(held.text or Secret(stand_in), mark, held)
    except DriverError as error:
        sheet.failure(f"a write would fail: {error.detail}", error.hint)
        return False
    return True


def _accounts(settings: Settings) -> tuple[str, ...]:
    return getattr(settings, "service_accounts", None) or ()


def _may(place: Place, verb: str) -> bool:
    """Ask for one verb; whoever may not even ask is taken at their word when they try.

    https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
    """
    # A create or list names nothing when it is judged.
    named = {"name": place.object_name} if verb in ("get", "patch") else {}
    attributes = {
        "group": "",
        "namespace": place.namespace,
        "resource": place.plural,
        "verb": verb,
        **named,
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    try:
        answer = ask(place, verb, lambda connection: connection.send("POST", _REVIEWS, review))
    except PermanentError as error:
        if error.reason is not Reason.FORBIDDEN:
            raise
        return True
    status = answer.get("status")
    return not isinstance(status, dict) or bool(status.get("allowed", True))
