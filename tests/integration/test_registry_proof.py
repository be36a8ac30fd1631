"""The proof against real registries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotator.core.model import Verdict
from rotator.registry.prover import RegistryProver
from tests.unit.registry.stand_in import SECRET, credential

if TYPE_CHECKING:
    from tests.servers.docker_registry import DockerRegistry


@pytest.fixture(params=["basic_registry", "token_registry"])
def registry(request: pytest.FixtureRequest) -> DockerRegistry:
    """Return a real registry, one that asks for Basic and one that asks for Bearer."""
    found: DockerRegistry = request.getfixturevalue(request.param)
    return found


def test_accepts_the_right_password(registry: DockerRegistry) -> None:
    """A real registry accepts the login that is right."""
    user = registry.new_user(SECRET)
    proof = RegistryProver().prove(credential(registry.host, user))
    assert (proof.verdict, proof.detail) == (Verdict.ACCEPTED, "")


@pytest.mark.parametrize(
    ("user", "password"),
    [("right", "s3cr3t-wrong"), ("right", ""), ("nobody", SECRET), ("", "")],
    ids=["wrong password", "no password", "unknown user", "nothing"],
)
def test_rejects_the_wrong_login(registry: DockerRegistry, user: str, password: str) -> None:
    """A real registry rejects every login that is wrong, and the proof says why."""
    known = registry.new_user(SECRET)
    given_user = known if user == "right" else user
    proof = RegistryProver().prove(credential(registry.host, given_user, password))
    assert proof.verdict is Verdict.REJECTED
    assert "401" in proof.detail


def test_sees_a_password_change(registry: DockerRegistry) -> None:
    """The same login is accepted before, and rejected after its password changed."""
    user = registry.new_user(SECRET)
    prover = RegistryProver()
    assert prover.prove(credential(registry.host, user)).verdict is Verdict.ACCEPTED
    registry.set_password(user, "s3cr3t-new")
    assert prover.prove(credential(registry.host, user)).verdict is Verdict.REJECTED


def test_identity_tokens(token_registry: DockerRegistry, basic_registry: DockerRegistry) -> None:
    """A real registry takes the token that its token service gives for an identity token."""
    tokens = token_registry.tokens
    assert tokens is not None
    tokens.identity_tokens["s3cr3t-identity"] = token_registry.new_user(SECRET)
    prover = RegistryProver()
    good, wrong = (
        prover.prove(credential(token_registry.host, "<token>", password))
        for password in ("s3cr3t-identity", "s3cr3t-of-yesterday")
    )
    assert good.verdict is Verdict.ACCEPTED
    assert (wrong.verdict, "invalid_grant" in wrong.detail) == (Verdict.REJECTED, True)
    none = prover.prove(credential(basic_registry.host, "<token>", "s3cr3t-identity"))
    assert (none.verdict, "no identity token" in none.detail) == (Verdict.UNKNOWN, True)
