"""The targets: one driver a file, named here by the type that the configuration gives it.

A driver's module has `build(settings, policy, clock) -> Target`; see `Driver` for the rest. It is
imported only when a rotation uses it, because the SDKs behind the drivers are what takes time and
memory.
"""

from rotator.core.ports import Driver

DRIVERS = {
    "file": Driver("rotator.targets.file", "rotator.targets.inspect_file"),
    "gitlab_variable": Driver(
        "rotator.targets.gitlab_variable", "rotator.targets.inspect_gitlab_variable"
    ),
    "kubernetes_configmap": Driver(
        "rotator.targets.kubernetes", "rotator.targets.inspect_kubernetes"
    ),
    "kubernetes_secret": Driver("rotator.targets.kubernetes", "rotator.targets.inspect_kubernetes"),
    "vault_kv": Driver("rotator.targets.vault_kv", "rotator.targets.inspect_vault_kv"),
}
