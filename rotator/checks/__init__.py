"""What `rotator check` asks: one module a family of drivers, named here by types.

A check's module has `check(settings, case, findings)`. It asks, adds what it finds, raises the
driver's own errors, and changes nothing. It is imported only when a rotation needs it, because the
SDKs behind the drivers take time and memory. `plain` is for every other driver: it only reads.
"""

PLAIN = "rotator.checks.plain"

CHECKS = {
    "credential_helper": "rotator.checks.helper",
    "docker_config": "rotator.checks.docker_config",
    "ecr": "rotator.checks.aws",
    "ecr_public": "rotator.checks.aws",
    "vault": "rotator.checks.vault",
    "file": "rotator.checks.file",
    "gitlab_variable": "rotator.checks.gitlab",
    "kubernetes_configmap": "rotator.checks.kubernetes",
    "kubernetes_secret": "rotator.checks.kubernetes",
    "vault_kv": "rotator.checks.vault",
}
