"""One key of one object, and the `kubectl` lines and rules of a Role that are about it."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rotator.core.errors import DriverError, GoneError, PermanentError, Reason

if TYPE_CHECKING:
    from rotator.kubernetes.access import Access

LARGEST = 1024 * 1024
"""Bytes that all values of one object may have together.
https://kubernetes.io/docs/concepts/configuration/configmap/#motivation"""

LARGEST_ANNOTATIONS = 256 * 1024
"""Bytes that all annotations of one object may have together."""


@dataclass(frozen=True, slots=True)
class Place:
    """One key of one object, and how its cluster is reached.

    `kind`: configmap, secret, serviceaccount, or namespace (which has no `namespace`).
    """

    kind: str
    namespace: str
    object_name: str
    key: str
    access: Access

    def __str__(self) -> str:
        """Return the object's full name."""
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {where}{self.object_name}"

    @property
    def plural(self) -> str:
        """The kind as it stands in a path and in a Role."""
        return f"{self.kind}s"

    def kubectl(self, command: str) -> str:
        """Return a command line for this namespace, where KIND and NAME stand for the object."""
        command = command.replace("KIND", self.kind).replace("NAME", self.object_name)
        where = f"-n {self.namespace} " if self.namespace else ""
        return self.access.kubectl(where + command)

    def show(self) -> str:
        """Return the command line that shows the object, of a Secret the keys and sizes alone.

        Events have rights of their own.
        """
        return self.kubectl("describe KIND NAME --show-events=false")

    def rule(self, verb: str) -> str:
        """Return what a Role has to have so that this verb is allowed."""
        # A create or list names nothing when it is judged, so no rule can restrict it to a name.
        named = f' resourceNames: ["{self.object_name}"],' if verb in ("get", "patch") else ""
        role = f"its Role in namespace {self.namespace}" if self.namespace else "its ClusterRole"
        return (
            f'add to {role}: {{apiGroups: [""], resources: ["{self.plural}"],{named}'
            f' verbs: ["{verb}"]}}'
        )

    def may_i(self, verb: str) -> str:
        """Return the command line with which the account itself sees whether it is allowed."""
        named = f"{self.plural}/{self.object_name}" if verb in ("get", "patch") else self.plural
        return self.kubectl(f"auth can-i {verb} {named}")

    def replace_it(self) -> str:
        """Return what to do about an object that is immutable.

        Deleting it and waiting for rotator would lose other keys, and other people's registries.
        """
        copy, replace = self.kubectl("get KIND NAME -o yaml"), self.kubectl("replace --force -f -")
        return (
            "replace it by a copy without the line `immutable: true`, as an account that may "
            f"delete it: {copy} | sed '/^immutable: true$/d' | {replace}"
        )

    def keep_type(self) -> str:
        """Return what to do about a Secret of another type."""
        return (
            "write the type of the Secret that is there as the target's `secret_type`, with "
            f"`key: {self.key}`, and nothing in it is lost; or use another `name`; what is there: "
            f"{self.show()}"
        )

    def too_large(self, size: int) -> DriverError:
        """Return the error for a document that fits into no object."""
        return PermanentError(
            Reason.TOO_LARGE,
            f"the document has {size} bytes, and all values of {self} may have {LARGEST} bytes "
            "together",
            f"publish fewer registries here (`registries`), or use an object of its own; "
            f"what is in it: {self.show()}",
        )

    def not_text(self) -> DriverError:
        """Return the error for a value that is no text, such as a file that Windows has written."""
        field = "data" if self.kind == "secret" else "binaryData"
        remove = shlex.quote(json.dumps({field: {self.key: None}}, separators=(",", ":")))
        return GoneError(
            Reason.MALFORMED,
            f"{self.key} in {self} is no UTF-8 text",
            f"take it out: {self.kubectl(f'patch KIND NAME --type merge -p {remove}')}",
        )

    def being_deleted(self, finalizers: str) -> DriverError:
        """Return the error for an object that goes as soon as nothing holds it back."""
        held = f"; its finalizers hold it back: {finalizers}" if finalizers else ""
        return GoneError(
            Reason.DELETED,
            f"{self} is being deleted{held}",
            f"wait until it is gone, then rotator makes it again; what is left: {self.show()}",
        )

    def no_account(self) -> DriverError:
        """Return the error for a service account that there is not."""
        return PermanentError(
            Reason.NOT_FOUND,
            f"there is no {self}",
            "correct the target's `service_accounts`, or make it: "
            + self.access.kubectl_of_others(
                f"-n {self.namespace} create serviceaccount {self.object_name}"
            ),
        )

    def no_object(self) -> DriverError:
        """Return the error for an answer that is no object of this kind."""
        return PermanentError(
            Reason.MALFORMED,
            f"the server of {self} is no Kubernetes API server: its answer is no {self.kind}",
            f"check the server's address and proxies: {self.kubectl('get KIND NAME -v 6')}",
        )
