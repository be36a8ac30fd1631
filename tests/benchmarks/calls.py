"""How many requests a rotation makes, and how many there have to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks import installed
from tests.benchmarks.measure import Row, spend
from tests.fakes.vault_door import VaultDoor

if TYPE_CHECKING:
    from tests.benchmarks.site import Site

# Whatever the server: one to log in and one to read in Vault; a target is read, then written. An
# object's namespace is asked for in between: one that is being deleted takes changes all the same.
FEWEST = {"ecr": 1, "vault, cold": 2, "vault, cold, auto": 2, "configmap": 3, "variable": 2}


def calls(here: Site) -> list[Row]:
    """Count the requests of a rotation that changes everything, and of one that changes nothing."""
    config = here.configuration("calls", here.rotation("three", name="calls"))
    command = [str(installed.rotator() / "rotator"), "--config", str(config), "run-once"]
    spend(here, command)
    counted = _spent_calls(here, command)
    fresh = _spent_calls(here, [*command, "--only-due"])
    writes = _writes(here)
    spend(here, [*command, "--only-due"])
    writes = _writes(here) - writes
    with VaultDoor(here.bao.url) as door:
        rotation = here.rotation("vault", name="calls-vault")
        rotation["sources"][0]["address"] = door.url
        vault = here.configuration("calls-vault", rotation)
        command = [str(installed.rotator() / "rotator"), "--config", str(vault), "run-once"]
        spend(here, command)
        counted["vault, cold"] = len(door.seen)
        rotation["sources"][0]["engine"] = "auto"
        here.configuration("calls-vault", rotation)
        spend(here, command)
        door.seen.clear()
        spend(here, command)
        counted["vault, cold, auto"] = len(door.seen)
    rows = [
        Row(f"calls: {name}", "the fewest possible", "", counted[name], fewest, 1.0)
        for name, fewest in FEWEST.items()
    ]
    rows.append(Row("calls: ECR, nothing due", "none", "", fresh["ecr"], 0, 1.0))
    rows.append(Row("calls: writes, nothing due", "none", "", writes, 0, 1.0))
    return rows


def _spent_calls(here: Site, command: list[str]) -> dict[str, int]:
    before = here.calls()
    spend(here, command)
    return {name: number - before[name] for name, number in here.calls().items()}


def _writes(here: Site) -> int:
    changes = sum(here.gitlab.count(verb) for verb in ("PUT", "POST", "DELETE"))
    return here.cluster.writes() + changes
