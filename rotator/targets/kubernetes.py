"""Publishes in one key of a ConfigMap or a Secret.

Written is with a POST, or a merge patch that carries the `metadata.resourceVersion` of the read:

- *Compare-and-set.* The server refuses a patch with another resource version than the stored one
  (409). A server-side apply would merge into an object that somebody else made meanwhile.
- *Only our own fields.* A patch names the key, the mark and the configured labels and annotations.
  An apply also takes away what its manager applied before and leaves out now: two rotators with
  other labels would undo each other's again and again.
- *Least privilege.* `get` and `patch` on the one name, and `create`. Not `update`, `list`, `watch`.

A namespace that is being deleted keeps its objects until its last pod has ended, and takes changes
of them, but no job starts there any more. The only request of these that the server refuses then is
a creation, so a read asks for one as a dry run, of an object without content.

https://kubernetes.io/docs/reference/using-api/api-concepts/#patch-and-update
https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-resources
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from rotator.config.kubernetes_targets import (
    KubernetesConfigMapTargetSettings,
    KubernetesSecretTargetSettings,
)
from rotator.core.errors import DriverError, PermanentError, Reason
from rotator.core.mark import to_annotations
from rotator.core.model import Held, Mark, Policy, Secret
from rotator.core.ports import Clock, Target
from rotator.http.reading import object_in
from rotator.kubernetes import objects
from rotator.kubernetes.access import Access
from rotator.kubernetes.objects import Body, NoDryRunError, Version
from rotator.kubernetes.place import LARGEST, Place
from rotator.targets.kubernetes_group import KubernetesGroup

Settings = KubernetesConfigMapTargetSettings | KubernetesSecretTargetSettings

_MANAGED_BY = {"app.kubernetes.io/managed-by": "rotator"}  # of an object that rotator created


def build(
    settings: Settings,
    policy: Policy,
    clock: Clock,  # noqa: ARG001  every driver's builder gets one
    access: Access | None = None,
) -> KubernetesTarget | KubernetesGroup:
    """Return the target for these settings. Nothing is read or asked before its first use."""
    access = access or Access(settings.kubeconfig, settings.context)
    if settings.namespace is not None:
        return KubernetesTarget(settings, policy, access, settings.namespace)
    return KubernetesGroup(
        settings,
        policy,
        access,
        lambda name, listed: KubernetesTarget(settings, policy, access, name, listed=listed),
    )


class KubernetesTarget(Target):
    """One key of a ConfigMap or a Secret in one namespace.

    The settings' `labels` and `annotations` are put on the object with each write. The
    `imagePullSecrets` of each of the `service_accounts` get the Secret's name. A version is a
    `Version`, None where there is no object. `place`: the object and how it is reached. `listed`:
    the namespace is from a list of those that are not being deleted, so a read does not ask for
    that.
    """

    sets_aside = True
    probes_writes = True
    completes = True

    def __init__(
        self,
        settings: Settings,
        policy: Policy,
        access: Access,
        namespace: str,
        *,
        listed: bool = False,
    ) -> None:
        super().__init__(settings.name_in(namespace), policy)
        self.group = None if settings.namespace is not None else settings.target_name
        self.server = str(access)
        self.settings = settings
        self.place = Place(settings.kind, namespace, settings.name, settings.key, access)
        self._listed = listed

    def read(self) -> Held:
        """Return what the key holds, and the object's version: a GET, and a POST as a dry run.

        Raises `TemporaryError` (unreachable, timeout, throttled, unavailable), `GoneError`
        (deleted: it is being deleted; malformed: no text) or `PermanentError` (login_rejected,
        forbidden, malformed, unreadable, invalid; not_found: the namespace is being deleted).
        """
        found = objects.get(self.place)
        if found is None:
            return Held(None)
        held = self._held(found)
        if not self._listed:
            try:
                empty = {"metadata": {"name": self.place.object_name}}
                objects.change(self.place, empty, dry=True, new=True)
            except (DriverError, NoDryRunError) as error:
                # No matter whether the object exists, or we may not create it.
                if isinstance(error, DriverError) and error.reason is Reason.NOT_FOUND:
                    raise
        return held

    def write(self, text: Secret, mark: Mark, replacing: Held) -> Held:
        """Put text and mark into the object with one POST or PATCH, then complete it.

        Raises `ConflictError` where the object was written, created or deleted
        since `replacing`, and besides what `read` raises `PermanentError` (not_found: the
        namespace; too_large; immutable: the object, or its type).
        """
        written = self._held(self._send(text, mark, replacing, dry=False))
        self.complete(written)
        return written

    def probe_write(self, text: Secret, mark: Mark, replacing: Held) -> None:
        """Ask the server whether it would take this write and store this text; nothing changes."""
        with suppress(NoDryRunError):
            answer = self._send(text, mark, replacing, dry=True)
            if objects.text_in(answer, self.place) != text:
                raise PermanentError(
                    Reason.INVALID,
                    f"an admission policy or webhook of the cluster would change {self.place.key} "
                    f"in {self.place}",
                    "let it leave this object alone; what changes objects: "
                    + self.place.access.kubectl_of_others("get mutatingwebhookconfigurations"),
                )
            self._let_accounts_pull(dry=True)

    def set_aside(self, replacing: Held) -> Held:
        """Keep the text under `KEY.broken`, with one PATCH; the key stays until the next write.

        What an earlier damage left there stays as `KEY.broken.1`.
        """
        text = replacing.text or Secret("")
        beside = replace(self.place, key=f"{self.place.key}.broken")
        data = {beside.key: objects.stored(beside, text.reveal().encode())}
        with suppress(PermanentError):  # no text: no obstacle to a repair
            earlier = objects.text_in(objects.get(self.place) or {}, beside)
            if earlier is not None and earlier != text:
                data[f"{beside.key}.1"] = objects.stored(beside, earlier.reveal().encode())
        changes = {"metadata": {"resourceVersion": _resource_version(replacing)}, "data": data}
        return self._held(objects.change(self.place, changes, objects.secrets_in(text)))

    def complete(self, held: Held) -> None:
        """Let the accounts' `imagePullSecrets` name this Secret: a GET each, and a PATCH."""
        if held.version is not None:
            self._let_accounts_pull(dry=False)

    def other_manager(self, held: Held) -> str | None:
        """Return who wrote the key last, by its name among the field managers, if not rotator."""
        return held.version.manager if isinstance(held.version, Version) else None

    def manager_advice(self, manager: str) -> str:
        """Return what makes another manager leave the key alone."""
        return self.place.manager_advice(manager)

    def _let_accounts_pull(self, *, dry: bool) -> None:
        """Add the Secret's name at the end of each account's list, at the version that was read."""
        mine = {"name": self.place.object_name}
        for name in self.settings.service_accounts or ():
            place = Place("serviceaccount", self.place.namespace, name, "", self.place.access)
            account = objects.get(place)
            if account is None:
                create = f"-n {place.namespace} create serviceaccount {name}"
                raise PermanentError(
                    Reason.NOT_FOUND,
                    f"there is no {place}",
                    "correct the target's `service_accounts`, or make it: "
                    + place.access.kubectl_of_others(create),
                )
            names = account.get("imagePullSecrets") or []
            if not isinstance(names, list):
                raise objects.no_object(place)
            if mine not in names:
                version = object_in(account.get("metadata")).get("resourceVersion")
                metadata = {"resourceVersion": version}
                changes = {"metadata": metadata, "imagePullSecrets": [*names, mine]}
                objects.change(place, changes, dry=dry)

    def _held(self, found: Body) -> Held:
        return objects.held(found, self.place, self.settings.secret_type)

    def _send(self, text: Secret, mark: Mark, replacing: Held, *, dry: bool) -> Body:
        value = text.reveal().encode()
        if len(value) > LARGEST:
            raise PermanentError(
                Reason.TOO_LARGE,
                f"the document has {len(value)} bytes, and all values of {self.place} may have "
                f"{LARGEST} bytes together",
                "publish fewer registries here (`registries`), or use an object of its own; "
                f"what is in it: {self.place.show()}",
            )
        metadata: Body = {"annotations": {**self.settings.annotations, **to_annotations(mark)}}
        content: Body = {
            "metadata": metadata,
            "data": {self.place.key: objects.stored(self.place, value)},
        }
        if self.settings.secret_type:
            content["type"] = self.settings.secret_type
        new = replacing.version is None
        if new:
            metadata["name"] = self.place.object_name
            metadata["labels"] = {**_MANAGED_BY, **self.settings.labels}
        else:
            metadata["resourceVersion"] = _resource_version(replacing)
            metadata["labels"] = dict(self.settings.labels)
        return objects.change(self.place, content, objects.secrets_in(text), dry=dry, new=new)


def _resource_version(held: Held) -> str | None:
    return held.version.resource if isinstance(held.version, Version) else None
