"""Fixtures for the whole suite: real servers and stateful fakes, each in a module of its own."""

import os

from hypothesis import HealthCheck, settings

pytest_plugins = [
    "tests.servers.openbao",
    "tests.servers.docker_engine",
    "tests.servers.docker_registry",
    "tests.fakes.ecr",
    "tests.fakes.kubernetes",
    "tests.fakes.gitlab",
]

# The suite tries the same examples each time, however slow the machine is; `explore` tries others.
settings.register_profile(
    "suite", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))
