"""Two rotators on one place, over HTTP: nothing is lost, and nobody has to agree on a leader."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from rotator.config.targets import GitlabVariableTargetSettings
from rotator.core import cycle, docker_config
from rotator.core.model import Policy
from rotator.core.recall import Memory
from rotator.core.rotation import Rotation
from rotator.targets.gitlab_variable import build
from tests.fakes.gitlab_access import OWNER
from tests.fakes.kubernetes_world import World as Cluster
from tests.simulation.world import MemoryJournal, World, WorldSource
from tests.support import NOW

if TYPE_CHECKING:
    from pathlib import Path

    from rotator.core.ports import Target
    from rotator.core.report import Report
    from tests.fakes.gitlab import FakeGitlab
    from tests.fakes.kubernetes import FakeKubernetes

ONE, TWO = "one.example.com", "two.example.com"
ROUNDS = 200


class Rotator:
    """One rotator with its own journal, memory and key."""

    def __init__(self, world: World, name: str, registry: str, target: Target) -> None:
        self.source = WorldSource(world, registry, life=3600)
        self.rotation = Rotation(name, (self.source,), (target,))
        self.ports = world.ports(MemoryJournal(name))
        self.memory = Memory()

    def turn(self, *, force: bool = False) -> Report:
        """Run a cycle."""
        how = cycle.Options(force=force)
        report, self.memory = cycle.run(self.rotation, self.memory, self.ports, how)
        return report


def registries(text: str | None) -> set[str]:
    """Return whose entries a document holds."""
    return set(docker_config.decode(text or "{}").auths)


def test_two_registries_on_one_configmap(fake_kubernetes: FakeKubernetes, tmp_path: Path) -> None:
    """Both write at the same time, 200 times: no entry is lost and nobody sees an error."""
    cluster, world = Cluster(fake_kubernetes, tmp_path), World()
    pair = [Rotator(world, registry, registry, cluster.target()) for registry in (ONE, TWO)]
    with ThreadPoolExecutor(2) as pool:
        for number in range(ROUNDS):
            reports = list(pool.map(lambda rotator: rotator.turn(force=True), pair))
            assert [report.outcome for report in reports] == ["rotated"] * 2, number
            assert registries(cluster.look()["data"]["config.json"]) == {ONE, TWO}
            world.pass_time(60)


def test_one_registry_on_one_configmap(fake_kubernetes: FakeKubernetes, tmp_path: Path) -> None:
    """No write war: whoever finds it fresh does nothing, so a life costs one fetch and write."""
    cluster, world = Cluster(fake_kubernetes, tmp_path), World()
    pair = [Rotator(world, name, ONE, cluster.target()) for name in ("a", "b")]
    for _ in range(ROUNDS):
        assert all(rotator.turn().outcome in {"rotated", "fresh"} for rotator in pair)
        world.pass_time(60)
    lives = ROUNDS * 60 / 3600
    assert sum(rotator.source.fetches for rotator in pair) <= 3 * lives
    assert fake_kubernetes.writes() <= 3 * lives


def test_two_registries_on_one_variable(fake_gitlab: FakeGitlab, tmp_path: Path) -> None:
    """A variable has no conditional write: what is lost is back when its owner looks again."""
    world = World()
    fake_gitlab.add_group("platform")
    token = tmp_path / "token"
    token.write_text(fake_gitlab.add_token({"platform": OWNER}).text)
    settings = GitlabVariableTargetSettings(url=fake_gitlab.url, group="platform", token_file=token)
    pair = [
        Rotator(world, name, name, build(settings, Policy(), lambda: NOW)) for name in (ONE, TWO)
    ]
    with ThreadPoolExecutor(2) as pool:
        for number in range(ROUNDS // 4):
            reports = list(pool.map(lambda rotator: rotator.turn(force=True), pair))
            assert "failed" not in {report.outcome for report in reports}, number
            # GitLab may answer with an older value for a moment: one poll later all is there.
            world.pass_time(300)
            for rotator in pair:
                rotator.turn()
            value = fake_gitlab.effective("platform/any", "DOCKER_AUTH_CONFIG")
            assert registries(value) == {ONE, TWO}, number
