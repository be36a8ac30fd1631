"""The targets: one driver a file, named here by the type that the configuration gives it.

A driver's module has `build(settings, policy, clock) -> Target`. It is imported only when a
rotation uses it, because the SDKs behind the drivers are what takes time and memory.
"""

DRIVERS = {
    "file": "rotator.targets.file",
    "gitlab_variable": "rotator.targets.gitlab_variable",
    "kubernetes_configmap": "rotator.targets.kubernetes",
    "kubernetes_secret": "rotator.targets.kubernetes",
    "vault_kv": "rotator.targets.vault_kv",
}
