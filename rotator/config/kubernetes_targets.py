"""The settings of the targets in Kubernetes: what Secret and ConfigMap share, and each of them."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from itertools import product
from typing import Annotated, Any, ClassVar, Literal

from rotator.config.places import FilePath
from rotator.config.settings import OneOf, Rule, When
from rotator.config.target_common import TargetSettings
from rotator.config.types import EACH_ONCE, FILLED, NO_TEXTS, Text, matching

DOCKER_CONFIG_JSON = "kubernetes.io/dockerconfigjson"
DOCKER_CONFIG_JSON_KEY = ".dockerconfigjson"

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_SUBDOMAIN = r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*"
_PART = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_PREFIX = r"((?=[^/]{1,253}/)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*/)?"

KubernetesLabel = Annotated[str, matching(
    _LABEL, "a Kubernetes name: at most 63 small letters, digits and -")]  # fmt: skip
NamespacePattern = Annotated[str, matching(
    r"[a-z0-9*]([a-z0-9*-]{0,61}[a-z0-9*])?", "a namespace, or a pattern such as team-*,"
)]  # fmt: skip
KubernetesName = Annotated[str, matching(_SUBDOMAIN,
    "a Kubernetes name: small letters, digits, - and ., with a letter or digit beside each ."
)]  # fmt: skip
DataKey = Annotated[str, matching(r"(?!\.\.)(?!\.$)[A-Za-z0-9._-]{1,253}",
    "a key of letters, digits, - _ or ., not . and not beginning with ..,")]  # fmt: skip
LabelKey = Annotated[str, matching(
    _PREFIX + _PART, "a label's or annotation's name such as example.com/team")]  # fmt: skip
LabelValue = Annotated[str, matching(
    f"({_PART})?", "a label's value of at most 63 letters, digits, - _ and .,")]  # fmt: skip
Labels = Mapping[LabelKey, LabelValue]


class KubernetesTargetSettings(TargetSettings, kw_only=True):
    """What Secret and ConfigMap have in common."""

    RULES: ClassVar[tuple[Rule, ...]] = (OneOf(("namespace", "namespaces", "namespace_selector")),)

    namespace: KubernetesLabel | None = None
    """The object's namespace."""
    namespaces: Annotated[tuple[NamespacePattern, ...], EACH_ONCE] | None = None
    """An object in each of these namespaces: names, and patterns such as team-*."""
    namespace_selector: Annotated[Labels, FILLED] | None = None
    """An object in each namespace that has all these labels."""
    name: KubernetesName
    """The object's name."""
    key: DataKey = ""
    """The key in it; default: config.json, or what the secret's type or the content asks for."""
    labels: Labels = NO_TEXTS
    """Labels to put on it."""
    annotations: Mapping[LabelKey, Text] = NO_TEXTS
    """Annotations to put on it."""
    kubeconfig: FilePath | None = None
    """How to reach the cluster; default: the pod's own service account, else $KUBECONFIG."""
    context: Text | None = None
    """The context of the kubeconfig; default: its current one."""

    @property
    def kind(self) -> Literal["secret", "configmap"]:
        """The object's kind, as kubectl has it."""
        return "secret" if self.type == "kubernetes_secret" else "configmap"

    def where(self) -> str:
        """Return namespace and name, with the cluster where one is chosen."""
        selector = ",".join(
            f"{key}={value}" for key, value in (self.namespace_selector or {}).items()
        )
        return self._where(self.namespace or ",".join(self.namespaces or ()) or selector)

    def name_in(self, namespace: str) -> str:
        """Return the name of the target that stands for the object in one namespace."""
        return f"{self.type}:{self._where(namespace)}"

    def is_same_place(self, other: TargetSettings) -> bool:
        """Tell whether the other target writes the object in one of these namespaces too."""
        if not isinstance(other, type(self)) or self.in_common() != other.in_common():
            return False
        return self.place() == other.place() or any(
            fnmatchcase(mine, theirs) or fnmatchcase(theirs, mine)
            for mine, theirs in product(self.named(), other.named())
        )

    def in_common(self) -> tuple[Any, ...]:
        """Return what tells the object from others in its namespace, and the cluster."""
        return (type(self), self.name, self.kubeconfig, self.context)

    def named(self) -> tuple[str, ...]:
        """Return the namespaces and patterns that are written down."""
        return (self.namespace,) if self.namespace else self.namespaces or ()

    def _where(self, namespace: str) -> str:
        cluster = [str(part) for part in (self.kubeconfig, self.context) if part is not None]
        return "@".join([f"{namespace}/{self.name}", *cluster])

    def __post_init__(self) -> None:
        """Fill in the defaults that depend on other keys."""
        self.fill("key", self.by_content("config.json", "username", "password"))


class KubernetesSecretTargetSettings(
    KubernetesTargetSettings, tag="kubernetes_secret", kw_only=True
):
    """A Secret."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        When("secret_type", (DOCKER_CONFIG_JSON,), forbids=("key",),
            hint=f"Kubernetes wants the key {DOCKER_CONFIG_JSON_KEY} in it"),
        When("secret_type", ("Opaque",), forbids=("service_accounts",), by_default=True,
            hint=f"pods pull with a Secret of `secret_type: {DOCKER_CONFIG_JSON}` only"),
    )  # fmt: skip

    secret_type: Literal["Opaque", "kubernetes.io/dockerconfigjson"] = "Opaque"  # noqa: S105  no secret
    """Opaque, or the type that `imagePullSecrets` take."""
    service_accounts: Annotated[tuple[KubernetesName, ...], EACH_ONCE] | None = None
    """Accounts whose `imagePullSecrets` get the Secret's name, beside what they have."""

    def __post_init__(self) -> None:
        """Fill in the defaults that depend on other keys."""
        if self.secret_type == DOCKER_CONFIG_JSON:
            self.fill("key", DOCKER_CONFIG_JSON_KEY)
        else:
            super().__post_init__()


class KubernetesConfigMapTargetSettings(
    KubernetesTargetSettings, tag="kubernetes_configmap", kw_only=True
):
    """A ConfigMap; the stock `view` role reads these, so a Secret is the better choice."""

    secret_type: ClassVar[None] = None
    service_accounts: ClassVar[None] = None
