"""Fixtures for the whole suite: real servers and stateful fakes, each in a module of its own."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = [
    "tests.mounts",
    "tests.fakes.kubernetes",
    "tests.fakes.kubernetes_world",
    "tests.servers.containers",
    "tests.servers.openbao_fixtures",
    "tests.servers.dist",
    "tests.servers.docker_engine",
    "tests.servers.docker_registry",
    "tests.servers.kube_apiserver",
    "tests.servers.gitlab_pipeline",
    "tests.integration.cluster",
    "tests.servers.systemd_machine",
    "tests.fakes.ecr_fixtures",
    "tests.fakes.gitlab",
    "tests.fakes.name_server",
]

# The suite tries the same examples each time, however slow the machine is; `explore` tries others.
settings.register_profile(
    "suite", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


@pytest.fixture(scope="session", autouse=True)
def interrupts() -> Iterator[None]:
    """Let Ctrl-C reach the programs that tests start.

    A shell's background job ignores it, as pytest may be one, and children ignore what their parent
    does.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have measured and recorded as a property."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")
