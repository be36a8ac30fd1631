"""Who may do what at the fake API server.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from tests.fakes.kubernetes_rules import Body, StatusError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Account:
    """Somebody who may ask, with the rules of their Roles; a namespace of None means everywhere."""

    user: str
    rules: tuple[tuple[str | None, Mapping[str, Any]], ...] = ()

    def may(self, verb: str, plural: str, namespace: str, name: str) -> bool:
        """Return whether a rule allows it. One with names allows nothing that has no name yet."""
        return any(
            where in (None, namespace)
            and {"", "*"} & set(rule.get("apiGroups", ()))
            and {plural, "*"} & set(rule.get("resources", ()))
            and {verb, "*"} & set(rule.get("verbs", ()))
            and name in (rule.get("resourceNames") or [name])
            for where, rule in self.rules
        )


class Manifest:
    """The namespaces and service accounts of a manifest, with what Roles and bindings give them."""

    def __init__(self, text: str) -> None:
        self._documents: list[Body] = [one for one in yaml.safe_load_all(text) if one]
        self.namespaces = [one["metadata"]["name"] for one in self._of("Namespace")]
        self.accounts = {
            account["metadata"]["name"]: self._account(*_where(account))
            for account in self._of("ServiceAccount")
        }

    def _account(self, namespace: str, name: str) -> Account:
        roles = {_where(role): role["rules"] for role in self._of("Role")}
        rules = []
        for binding in self._of("RoleBinding"):
            bound = _where(binding)[0]
            for subject in binding["subjects"]:
                theirs = (subject["kind"], subject.get("namespace", bound), subject["name"])
                if theirs == ("ServiceAccount", namespace, name):
                    rules += [(bound, rule) for rule in roles[bound, binding["roleRef"]["name"]]]
        return Account(f"system:serviceaccount:{namespace}:{name}", tuple(rules))

    def _of(self, kind: str) -> list[Body]:
        return [one for one in self._documents if one["kind"] == kind]


def forbidden(account: Account, verb: str, plural: str, namespace: str, name: str) -> StatusError:
    """Return 403, as the RBAC authorizer answers it."""
    what = f'{plural} "{name}"' if name else plural
    message = (
        f'{what} is forbidden: User "{account.user}" cannot {verb} resource "{plural}"'
        f' in API group "" in the namespace "{namespace}"'
    )
    return StatusError(403, "Forbidden", message, {"name": name, "kind": plural})


def review(account: Account, body: Body) -> Body:
    """Answer a SelfSubjectAccessReview."""
    asked = body["spec"]["resourceAttributes"]
    allowed = account.may(
        asked["verb"], asked["resource"], asked.get("namespace", ""), asked.get("name", "")
    )
    return {**body, "status": {"allowed": allowed}}


def _where(document: Body) -> tuple[str, str]:
    metadata = document["metadata"]
    return metadata.get("namespace", "default"), metadata["name"]
