"""A rotation to a Secret of a real API server, by the installed command."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tests.e2e.watched import Watched
from tests.support import MARKED

if TYPE_CHECKING:
    from pathlib import Path

    from rotator.kubernetes.access import Access
    from tests.integration.cluster import Cluster


class Rotation:
    """A rotation from a docker config to a Secret, by the installed command."""

    def __init__(self, cluster: Cluster, place: Path, **target: Any) -> None:
        self.cluster = cluster
        place.mkdir(parents=True)
        self._watched = Watched(place)
        self._kubeconfig = place / "kubeconfig"
        self.act_as(cluster.access)
        where = target or {"namespace": cluster.namespace}
        one = {"type": "kubernetes_secret", "name": "docker", **where}
        one["kubeconfig"] = str(self._kubeconfig)
        self._watched.configuration["rotations"][0]["targets"] = [one]
        self._watched.write()

    def run(self, *words: str, code: int) -> str:
        """Run a command; return what it prints to both of its outputs."""
        done = self._watched.command(*words, columns=250)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def json(self, *words: str, code: int) -> dict[str, Any]:
        """Return the only rotation of what a command prints as JSON."""
        done = self._watched.command(*words, "--json")
        assert done.returncode == code, done.stdout + done.stderr
        (only,) = json.loads(done.stdout)["rotations"]
        return dict(only)

    def either(self, *words: str) -> str:
        """Run a command that may fail; return what it prints."""
        done = self._watched.command(*words, columns=250)
        return done.stdout + done.stderr

    def json_of(self, *words: str) -> dict[str, Any]:
        """Return the only rotation of what a command that may fail prints as JSON."""
        (only,) = json.loads(self._watched.command(*words, "--json").stdout)["rotations"]
        return dict(only)

    def daemon(self) -> Watched:
        """Return the daemon, to be started and stopped by `with`."""
        return self._watched

    def put(self) -> None:
        """Let the source give another password."""
        self._watched.put(f"{MARKED}{uuid4().hex}")

    def act_as(self, access: Access) -> None:
        """Use another account from now on."""
        assert access.kubeconfig
        self._kubeconfig.write_text(access.kubeconfig.read_text())
