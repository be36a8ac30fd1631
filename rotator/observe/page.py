"""The status page: one HTML document without script, with nothing from elsewhere.

`page.html` is the template. Bars are SVG, whose sizes are attributes: a `style` attribute would
need a weaker policy.
"""

from __future__ import annotations

import base64
import hashlib
import platform
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rotator import __version__
from rotator.config.typed import DEFAULT_FILE, completed
from rotator.observe import phrases
from rotator.observe.times import clock_time
from rotator.observe.view_model import FINE, Health

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Template

    from rotator.observe.view_model import CredentialView, RotationView, TargetView, View

REFRESH_SECONDS = 30

MOST_ROWS = 30
"""How many credentials or targets of a rotation are listed; a filter shows the others."""

_FILE = Path(__file__).with_name("page.html")
_ORDER = {Health.RED: 0, Health.AMBER: 1, Health.GREEN: 2, None: 3}
_ICONS = {Health.RED: "%23c62828", Health.AMBER: "%23d98a00", Health.GREEN: "%232e7d32"}


class _Rows(NamedTuple):
    """The rows of a list, the worst first, and how many more there are."""

    shown: Sequence[CredentialView | TargetView]
    left_out: int
    left_out_are: str


class _Rotation(NamedTuple):
    """A rotation with what is listed of it; `open`: shown in full."""

    view: RotationView
    credentials: _Rows
    targets: _Rows
    open: bool


def content_security_policy() -> str:
    """Return what a browser may do with the page: apply its own style, and filter."""
    style = re.search("<style>(.*?)</style>", _FILE.read_text("utf-8"), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()) if style else b""
    return (
        f"default-src 'none'; style-src 'sha256-{digest.decode()}'; img-src data:; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


def render(view: View, query: str = "", file: Path = DEFAULT_FILE) -> str:
    """Return the page as HTML.

    `query`: only what has this in a name. `file`: the configuration, for commands to type.
    """
    view = completed(view, file)
    wanted = query.strip().casefold()
    chosen = sorted(
        (one for one in view.rotations if wanted in _names(one)),
        key=lambda one: (_ORDER[one.health], one.name),
    )
    return _template().render(
        view=view,
        now=view.at,
        query=query.strip(),
        phrases=phrases,
        rotations=[_rotation(one, wanted, few=len(chosen) <= 1) for one in chosen],
        icon=_ICONS[view.health],
        host=platform.node(),
        version=__version__,
        refresh=REFRESH_SECONDS,
        status=completed("rotator status", file),
    )


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415  only for who opens the page

    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.filters |= {
        "clock": clock_time,
        "percent": lambda share: f"{share:.0%}",
        "share": lambda share: f"{share:.2%}",
    }
    return environment.from_string(_FILE.read_text("utf-8"))


def _names(rotation: RotationView) -> str:
    credentials = (one.name for one in rotation.credentials)
    targets = (one.name for one in rotation.targets)
    return "\n".join((rotation.name, *credentials, *targets)).casefold()


def _rotation(rotation: RotationView, wanted: str, *, few: bool) -> _Rotation:
    found = "" if wanted in rotation.name.casefold() else wanted
    opened = few or bool(wanted) or rotation.health not in FINE
    return _Rotation(
        rotation, _rows(rotation.credentials, found), _rows(rotation.targets, found), opened
    )


def _rows(them: Sequence[CredentialView | TargetView], wanted: str) -> _Rows:
    """Return the rows with `wanted` in their name, the worst first."""
    chosen = [one for one in them if wanted in one.name.casefold()]
    chosen.sort(key=lambda one: _ORDER[one.health])  # in the configuration's order otherwise
    shown, others = chosen[:MOST_ROWS], chosen[MOST_ROWS:]
    fine = all(one.health in FINE for one in others)
    rest = "all as they should be" if fine else "some of which need attention"
    return _Rows(shown, len(others), rest)
