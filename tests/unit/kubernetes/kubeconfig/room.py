"""Servers with and without TLS, and kubeconfigs for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from msgspec.structs import fields

from rotator.core.errors import PermanentError
from rotator.kubernetes.access import Access
from rotator.kubernetes.kubeconfig import Cluster, Context, Plugin, User
from tests.fakes.kubernetes_rbac import Account
from tests.unit.kubernetes.cluster import ALL, error_of, target

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.certificates import Pki
    from tests.fakes.kubernetes import FakeKubernetes


class Room:
    """A server with TLS, one without, and kubeconfigs for them."""

    def __init__(self, fake: FakeKubernetes, secure: FakeKubernetes, pki: Pki, place: Path) -> None:
        self.fake, self.secure, self.pki, self.place = fake, secure, pki, place

    def read(self, *, tls: bool = False, context: dict[str, Any] | None = None, **how: Any) -> None:
        """Read something with a kubeconfig that has these fields."""
        server = self.secure if tls else self.fake
        path = server.kubeconfig(self.place / "config", **how)
        if context:
            config = yaml.safe_load(path.read_text())
            config["contexts"][0]["context"] |= context
            path.write_text(yaml.safe_dump(config))
        target(Access(path)).read()

    def header(self, name: str, *, tls: bool = False) -> list[str]:
        """Return the values of a header of the last request."""
        server = self.secure if tls else self.fake
        return [value for key, value in server.headers if key.lower() == name.lower()]

    def error(self, **how: Any) -> str:
        """Return what a read fails with."""
        tls = how.pop("tls", False)
        server = self.secure if tls else self.fake
        return error_of(Access(server.kubeconfig(self.place / "config", **how))).detail

    def certified(self) -> dict[str, bytes]:
        """Return certificate and key of somebody whom the server with TLS knows."""
        certificate, key = self.pki.issue("person")
        self.secure.certificates["person"] = Account("person", ((None, ALL[0]),))
        return {"certificate": certificate.read_bytes(), "key": key.read_bytes()}


def server(room: Room) -> None:
    """A path in it stays in front, as Rancher's address of a cluster has one."""
    with pytest.raises(PermanentError):
        room.read(cluster={"server": f"{room.fake.url}/k8s/clusters/c-1/"})
    assert room.fake.path == "/k8s/clusters/c-1/api/v1/namespaces/ci/configmaps/docker"
    for wrong in ("127.0.0.1:6443", "ftp://127.0.0.1", "https://", "https://h:port", ""):
        assert "`server`" in room.error(cluster={"server": wrong})
    inside = {"server": room.fake.url.replace("//", "//u:s3cr3t-p@")}
    assert "`server` of its cluster holds a login" in room.error(cluster=inside)


KINDS = {"cluster": Cluster, "user": User, "exec": Plugin, "context": Context}
FIELDS = {
    section: {field.encode_name: field.type for field in fields(kind)}
    for section, kind in KINDS.items()
}
EVERY = [f"{section}.{name}" for section, names in FIELDS.items() for name in names]
