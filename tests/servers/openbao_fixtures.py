"""OpenBao for tests: one server a session, and what tests put into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers.openbao import ROBOT_PASSWORD, OpenBao, unique

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def openbao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """Give the session's OpenBao, over plain HTTP; KV 2 is mounted at `secret`."""
    with OpenBao(tmp_path_factory.mktemp("openbao")) as server:
        yield server


@pytest.fixture(scope="session")
def openbao_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """Give the session's OpenBao over TLS, with an authority of its own (`ca_file`)."""
    with OpenBao(tmp_path_factory.mktemp("openbao-tls"), tls=True) as server:
        yield server


@pytest.fixture
def kv_secret(openbao: OpenBao) -> str:
    """Return the name of a fresh KV 2 secret with a robot's login, below `secret`."""
    name = unique("harbor")
    openbao.put(f"secret/data/{name}", {"username": "robot", "password": ROBOT_PASSWORD})
    return name


@pytest.fixture
def kv_policy(openbao: OpenBao, kv_secret: str) -> str:
    """Return the name of a policy that allows to read that secret, and nothing else."""
    return openbao.policy(f'path "secret/data/{kv_secret}" {{ capabilities = ["read"] }}')
