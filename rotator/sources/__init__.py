"""The sources: one driver a file, named here by the type that the configuration gives it.

A driver's module has `build(settings, clock) -> Source`. It is imported only when a rotation uses
it, because the SDKs behind the drivers are what takes time and memory.
"""

DRIVERS = {
    "credential_helper": "rotator.sources.credential_helper",
    "docker_config": "rotator.sources.docker_config",
    "ecr": "rotator.sources.ecr",
    "ecr_public": "rotator.sources.ecr",
    "vault": "rotator.sources.vault",
}
