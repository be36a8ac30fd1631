"""Checks the targets `kubernetes_secret` and `kubernetes_configmap`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightkube.models.authorization_v1 import ResourceAttributes, SelfSubjectAccessReviewSpec
from lightkube.resources.authorization_v1 import SelfSubjectAccessReview

from rotator.checks import registry
from rotator.checks.case import TIMEOUTS
from rotator.core.errors import PermanentError, Reason
from rotator.targets.kubernetes import KubernetesTarget, build
from rotator.targets.kubernetes_access import Access
from rotator.targets.kubernetes_errors import VERBS

if TYPE_CHECKING:
    from rotator.checks.case import Case
    from rotator.checks.finding import Sheet
    from rotator.config.targets import (
        KubernetesConfigMapTargetSettings,
        KubernetesSecretTargetSettings,
    )


def check(
    settings: KubernetesConfigMapTargetSettings | KubernetesSecretTargetSettings,
    case: Case,
    sheet: Sheet,
) -> None:
    """Ask the API server what we may do with the object, and read it."""
    connect, read = TIMEOUTS
    access = Access(
        settings.kubeconfig,
        settings.context,
        connect_seconds=connect,
        read_seconds=read,
        plugin_seconds=read,
    )
    target = build(settings, settings.policy(), case.clock, access)
    refused = [verb for verb in VERBS.values() if not _may(target, verb)]
    for verb in refused:
        sheet.failure(
            f"we may not {verb} {target.place}"
            + (", so it can't be made, now or after somebody deletes it" * (verb == "create")),
            target.place.rule(verb),
        )
    if "get" in refused:
        return
    held = target.read()
    if not refused:
        sheet.ok(f"{target.place} can be read, made and changed")
    for note in held.notes:
        error = target.place.immutable("can't be changed")
        sheet.failure(f"{target.place}: {note}", error.hint)
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
    registry.published(settings, held, case, sheet)


def _may(target: KubernetesTarget, verb: str) -> bool:
    """Ask for one verb; whoever may not even ask is taken at their word when they try.

    https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
    """
    place = target.place
    # A create names nothing yet when it is judged.
    name = None if verb == "create" else place.object_name
    asked = ResourceAttributes(
        group="", namespace=place.namespace, resource=f"{place.kind}s", verb=verb, name=name
    )
    review = SelfSubjectAccessReview(spec=SelfSubjectAccessReviewSpec(resourceAttributes=asked))
    try:
        answer = target.call(lambda client: client.create(review))
    except PermanentError as error:
        if error.reason is not Reason.FORBIDDEN:
            raise
        return True
    return answer.status is None or answer.status.allowed
