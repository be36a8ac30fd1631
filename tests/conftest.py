"""Fixtures for the whole suite: real servers and stateful fakes, each in a module of its own."""

pytest_plugins = [
    "tests.servers.openbao",
    "tests.servers.docker_engine",
    "tests.servers.docker_registry",
    "tests.fakes.ecr",
    "tests.fakes.kubernetes",
    "tests.fakes.gitlab",
]
