"""One target for 500 namespaces of a real API server, 20 ms away: what it costs, what is shown."""

from __future__ import annotations

import json
import os
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.watched import PROGRAM, Watched
from tests.fakes.far_away import FarAway

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.cluster import Cluster

MANY = 500
FAR = 0.02


@pytest.fixture
def far(cluster: Cluster, tmp_path: Path) -> Any:
    """Give a kubeconfig that leads to the server over a slow way."""
    with FarAway(int(cluster.server.url.rpartition(":")[2]), FAR) as relay:
        server = {"server": f"https://127.0.0.1:{relay.port}"}
        yield cluster.server.kubeconfig_for(tmp_path / "far", cluster=server)


def publishing(place: Path, kubeconfig: Path, **where: Any) -> Watched:
    """Return a rotation to a Secret in these namespaces."""
    place.mkdir()
    watched = Watched(place)
    target = {"type": "kubernetes_secret", "name": "docker", "kubeconfig": str(kubeconfig), **where}
    watched.configuration["rotations"][0]["targets"] = [target]
    watched.write()
    return watched


def spent(watched: Watched) -> tuple[float, float]:
    """Return the seconds of a rotation, and the megabytes of memory that it had at most."""
    command = [PROGRAM, "--config", str(watched.place / "rotator.yaml"), "run-once"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(watched.place)}
    began = time.monotonic()
    nowhere = (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)
    child = os.posix_spawn(PROGRAM, command, environment, file_actions=[nowhere])
    _, status, usage = os.wait4(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return time.monotonic() - began, usage.ru_maxrss / 1024


def requests(cluster: Cluster) -> int:
    """Return how many requests on Secrets and namespaces the server has answered."""
    text = cluster.server.answer("GET", "/metrics").text
    counted = r"^apiserver_request_total\{.*resource=\"(?:secrets|namespaces)\".*\} (\d+)$"
    lines = re.findall(counted, text, re.MULTILINE)
    return sum(map(int, lines))


@pytest.mark.timeout(600)
def test_what_it_costs_and_shows(
    cluster: Cluster, far: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """At most 2 requests each, 60 s and 20 MB for a rotation; a status that can be read."""
    _, base = spent(publishing(tmp_path / "one", far, namespace=cluster.namespace))
    for number in range(MANY):
        cluster.make_namespace(f"many-{number:03}", many="yes")
    labels = {"many": "yes", "test": cluster.unique}
    watched = publishing(tmp_path / "many", far, namespace_selector=labels)
    for what in ("filled", "renewed"):
        before = requests(cluster)
        seconds, most = spent(watched)
        each = (requests(cluster) - before) / MANY
        record_property(f"500 namespaces {what}, seconds", round(seconds, 1))
        record_property(f"500 namespaces {what}, requests each", each)
        record_property(f"500 namespaces {what}, MB more than one", round(most - base, 1))
        assert each <= 2.01, "and a list in pages"
        assert seconds <= 60
        assert most - base <= 20
        watched.put(f"s3cr3t-{what}")

    gone = f"/api/v1/namespaces/many-007-{cluster.unique}/secrets/docker"
    cluster.server.api("DELETE", gone)
    live = watched.command("status", "--live", columns=200)
    assert live.returncode == 10
    assert f"now: {MANY - 1} of {MANY} objects as published" in live.stdout
    assert "many-007" in live.stdout
    for command in (("status",), ("status", "--live")):
        assert len(watched.command(*command, columns=200).stdout.splitlines()) < 20
    (rotation,) = json.loads(watched.command("status", "--json").stdout)["rotations"]
    assert [one["objects"] for one in rotation["targets"]] == [MANY]
    assert len(watched.metrics_file.read_text().splitlines()) < 200
