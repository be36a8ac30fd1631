"""Whom a proof trusts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.core.model import Verdict
from rotator.registry.prover import RegistryProver, Trust
from tests.fakes.certificates import Pki
from tests.support import aged
from tests.unit.registry.stand_in import credential

if TYPE_CHECKING:
    from pathlib import Path


def test_authorities_are_read_once_until_they_change(tmp_path: Path) -> None:
    """Reading the system's takes longer than a proof."""
    ca = aged(Pki(tmp_path).ca)
    trust = Trust(ca)
    first = trust.context(lax=False)
    assert trust.context(lax=False) is first
    assert trust.context(lax=True) is not first
    aged(ca, 60)
    assert trust.context(lax=False) is not first


def test_unreadable_ca_file(tmp_path: Path) -> None:
    """A CA file that can't be used is said, and nobody is asked."""
    prover = RegistryProver(ca_file=tmp_path / "none.pem")
    proof = prover.prove(credential("registry.invalid"))
    assert proof.verdict is Verdict.UNKNOWN
    assert "none.pem" in proof.detail
