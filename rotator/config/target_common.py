"""What the settings of all targets have in common."""

from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from rotator.config.places import Registry
from rotator.config.settings import Rule, Settings, When, digest
from rotator.config.types import FILLED, Flag, Text
from rotator.core.model import Content, Merge, Policy

_PORTS = {"https": ":443", "http": ":80"}


def server(url: str) -> str:
    """Return a server's URL in the one form that all spellings of it have."""
    parts = urlsplit(url)
    host = parts.netloc.lower()
    if parts.scheme in _PORTS:  # `urlsplit` writes the scheme small
        host = host.removesuffix(_PORTS[parts.scheme])
    return f"{parts.scheme}://{host}{parts.path}"


class TargetSettings(Settings, tag_field="type", kw_only=True):
    """What every target has."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        When("content", ("username", "password"), needs=("registry",), forbids=("registries",)),
        When("content", ("docker_config",), forbids=("registry",), by_default=True,
            hint="write `content: username` or `password` with it, or `registries` for a filter"),
    )  # fmt: skip

    enabled: Flag = True
    """false: paused, nothing is written here."""
    registries: Annotated[tuple[Registry, ...], FILLED] | None = None
    """Publish only these; default: all that the sources give."""
    follows: Flag = False
    """true: running jobs see updates, so `longest_job` may exceed a credential's life here."""
    merge: Merge = Merge.PRESERVE
    """preserve: keep what is not ours; replace: publish ours alone."""
    content: Content = Content.DOCKER_CONFIG
    """What is published: a whole docker config, or one registry's user name or password."""
    registry: Registry | None = None
    """The registry whose user name or password is published."""

    def where(self) -> str:
        """Return the place in one word, as it stands in the default name."""
        raise NotImplementedError

    def place(self) -> tuple[Any, ...]:
        """Return what makes the place one of its kind: two targets with the same write the same.

        The mark (see `core.model.Mark`) belongs to a whole object or secret, so a key or field in
        it is no place of its own.
        """
        return (self.where(),)

    def configured(self) -> str:
        """Return what the journal holds of its place; see `core.ports.Target`."""
        return digest(f"{self.type} {self.place()!r}")

    def in_common(self) -> tuple[Any, ...]:
        """Return what all targets have in common that write the same place: few to be compared."""
        return (type(self), *self.place())

    def is_same_place(self, other: "TargetSettings") -> bool:
        """Tell whether the other target writes what this one writes."""
        return self.in_common() == other.in_common()

    def policy(self) -> Policy:
        """Return what the core needs to know."""
        return Policy(
            registries=None if self.registries is None else frozenset(self.registries),
            content=self.content,
            registry=self.registry,
            merge=self.merge,
            follows=self.follows,
            enabled=self.enabled,
        )

    @property
    def target_name(self) -> str:
        """The target's name in logs, metrics and commands: its type and place by default."""
        return f"{self.type}:{self.where()}"

    def by_content(self, document: str, username: str, password: str) -> str:
        """Return the one that goes with the content."""
        choices = {Content.DOCKER_CONFIG: document, Content.USERNAME: username}
        return choices.get(self.content, password)


class NamedTargetSettings(TargetSettings, kw_only=True):
    """A target that can be given a name (a Kubernetes target can't: `name` is the object's)."""

    name: Text = ""
    """The target's name, unique in its rotation; default: its type and place."""

    @property
    def target_name(self) -> str:
        """The target's name in logs, metrics and commands."""
        return self.name

    def __post_init__(self) -> None:
        """Fill in the name; called last, as the place may be made of other defaults."""
        self.fill("name", super().target_name)
