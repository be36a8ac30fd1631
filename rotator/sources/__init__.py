"""The sources: one driver a file, named here by the type that the configuration gives it.

A driver's module has `build(settings, clock) -> Source`; see `Driver` for the rest. It is imported
only when a rotation uses it, because the SDKs behind the drivers are what takes time and memory.
"""

from rotator.core.ports import Driver

DRIVERS = {
    "credential_helper": Driver(
        "rotator.sources.credential_helper", "rotator.sources.inspect_helper"
    ),
    "docker_config": Driver(
        "rotator.sources.docker_config", "rotator.sources.inspect_docker_config"
    ),
    "ecr": Driver("rotator.sources.ecr", "rotator.sources.inspect_ecr"),
    "ecr_public": Driver("rotator.sources.ecr", "rotator.sources.inspect_ecr"),
    "vault": Driver("rotator.sources.vault", "rotator.sources.inspect_vault"),
}
