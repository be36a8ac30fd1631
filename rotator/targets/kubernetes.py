"""Publishes in one key of a ConfigMap or a Secret.

Written is with a JSON merge patch that carries the `metadata.resourceVersion` of the read, because
of the three ways to change an object it is the one that has all that is needed here:

- *Compare-and-set.* The server refuses a patch with another resource version than the stored one
  (409). A server-side apply does so too, but its creation does not: it would merge into an object
  that somebody else made meanwhile, while a POST fails.
- *Only our own fields.* A patch names the key, the mark and the configured labels and annotations,
  nothing else can change. An apply also takes away what its manager applied before and leaves out
  now: two rotators with other labels would undo each other's for ever. A PUT sends everything back
  as this client understood it.
- *Least privilege.* `get` and `patch` on the one name, and `create`, which no rule can restrict to
  a name. Not `update`, `list` or `watch`.

https://kubernetes.io/docs/reference/using-api/api-concepts/#patch-and-update
https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-resources
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2
from lightkube import ApiError
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ConfigMap
from lightkube.resources.core_v1 import Secret as SecretObject
from lightkube.types import PatchType

from rotator.core.mark import from_annotations, to_annotations
from rotator.core.model import Held, Secret
from rotator.core.ports import Target
from rotator.http.server_text import shown
from rotator.targets.kubernetes_access import Access
from rotator.targets.kubernetes_errors import LARGEST, Place, explain, is_missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lightkube import Client

    from rotator.config.targets import (
        KubernetesConfigMapTargetSettings,
        KubernetesSecretTargetSettings,
    )
    from rotator.core.model import Mark, Policy
    from rotator.core.ports import Clock

Got = TypeVar("Got")

MANAGED_BY = {"app.kubernetes.io/managed-by": "rotator"}
"""The label of an object that rotator has created."""


def build(
    settings: KubernetesConfigMapTargetSettings | KubernetesSecretTargetSettings,
    policy: Policy,
    clock: Clock,  # noqa: ARG001  every driver's builder gets one
    access: Access | None = None,
) -> KubernetesTarget:
    """Return the target for these settings. Nothing is read or asked before its first use.

    `access`: how the cluster is reached; default: as the settings say.
    """
    access = access or Access(settings.kubeconfig, settings.context)
    secret_type = getattr(settings, "secret_type", None)
    kind = "secret" if secret_type else "configmap"
    place = Place(kind, settings.namespace, settings.name, settings.key, access)
    return KubernetesTarget(
        settings.target_name, policy, place, secret_type, settings.labels, settings.annotations
    )


class KubernetesTarget(Target):
    """One key of a ConfigMap, or of a Secret of `secret_type`.

    `labels` and `annotations` are put on the object with each write. A version is the object's
    `resourceVersion`, None where there is no object. `place`: the object and how it is reached.
    """

    def __init__(
        self,
        name: str,
        policy: Policy,
        place: Place,
        secret_type: str | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(name, policy)
        self.place = place
        self._class: type[ConfigMap | SecretObject] = SecretObject if secret_type else ConfigMap
        self._secret_type = secret_type
        self._labels = dict(labels or {})
        self._annotations = dict(annotations or {})

    def read(self) -> Held:
        """Return what the key holds, and the object's version, with one GET.

        Raises `TemporaryError` (unreachable, timeout, throttled, unavailable) or `PermanentError`
        (login_rejected, forbidden, malformed, unreadable, invalid).
        """
        return self.call(self._get)

    def write(self, text: Secret, mark: Mark, replacing: Held) -> Held:
        """Put text and mark into the object with one POST or PATCH, and return what it answers.

        Raises `ConflictError` where the object was written, created or deleted since `replacing`,
        and besides what `read` raises `PermanentError` (not_found: the namespace; too_large;
        immutable: the object, or its type).
        """
        value = text.reveal().encode()
        if len(value) > LARGEST:
            raise self.place.too_large(len(value))
        metadata: dict[str, Any] = {"annotations": {**self._annotations, **to_annotations(mark)}}
        content: dict[str, Any] = {"data": {self.place.key: self._stored(value)}}
        if self._secret_type:
            content["type"] = self._secret_type
        if replacing.version is None:
            metadata["name"] = self.place.object_name
            metadata["labels"] = {**MANAGED_BY, **self._labels}
            new = self._class(metadata=ObjectMeta(**metadata), **content)
            return self.call(lambda client: self._create(client, new))
        metadata["resourceVersion"] = replacing.version
        metadata["labels"] = self._labels
        return self.call(lambda client: self._patch(client, {"metadata": metadata, **content}))

    def _get(self, client: Client) -> Held:
        try:
            return self._held(
                client.get(self._class, self.place.object_name, namespace=self.place.namespace)
            )
        except ApiError as error:
            if is_missing(error):
                return Held(None)
            raise

    def _create(self, client: Client, new: ConfigMap | SecretObject) -> Held:
        return self._held(client.create(new, namespace=self.place.namespace))

    def _patch(self, client: Client, changes: dict[str, Any]) -> Held:
        return self._held(
            client.patch(
                self._class,
                self.place.object_name,
                changes,
                namespace=self.place.namespace,
                patch_type=PatchType.MERGE,
            )
        )

    def call(self, request: Callable[[Client], Got]) -> Got:
        """Return what `request` gets from the API server; raises as `read` and `write`."""
        client = self.place.access.open()
        try:
            return request(client)
        except (httpx2.HTTPError, LookupError, ValueError, RecursionError) as error:
            known = explain(error, self.place)
            if known is None:
                raise
            # The error's own text can quote the object.
            raise known from None

    def _held(self, found: ConfigMap | SecretObject) -> Held:
        metadata = found.metadata
        if metadata is None or metadata.resourceVersion is None:
            raise self.place.no_object()
        mark = from_annotations(metadata.annotations or {})
        notes = tuple(f"it {why}: the next write will fail" for why in self._unchangeable(found))
        return Held(self._text(found), mark, metadata.resourceVersion, notes=notes)

    def _unchangeable(self, found: ConfigMap | SecretObject) -> Iterator[str]:
        if found.immutable:
            yield "is immutable"
        if isinstance(found, SecretObject) and found.type != self._secret_type:
            yield f"has the type {shown(found.type or '', ())}, and a Secret's type can't change"

    def _text(self, found: ConfigMap | SecretObject) -> Secret | None:
        key = self.place.key
        if isinstance(found, ConfigMap):
            if key in (found.binaryData or {}):
                raise self.place.not_text()
            text = (found.data or {}).get(key)
        else:
            stored = (found.data or {}).get(key)
            try:
                text = None if stored is None else base64.b64decode(stored).decode()
            except ValueError:
                raise self.place.not_text() from None
        return None if text is None else Secret(text.removesuffix("\n"))

    def _stored(self, value: bytes) -> str:
        """Return the value as the object's `data` holds it."""
        return base64.b64encode(value).decode() if self._secret_type else value.decode()
