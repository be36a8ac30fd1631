"""The status page as text; what a browser makes of it is tested in `e2e`."""

from __future__ import annotations

import base64
import hashlib
import platform
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from msgspec.structs import replace

from rotator import __version__
from rotator.core.record import Record
from rotator.observe.page import MOST_ROWS, content_security_policy, render
from rotator.observe.view_model import FailureView, RotationView, View
from tests.support import NOW
from tests.unit.observe.views import FILE, TROUBLED, VIEW, WELL, hours, view_of

EVIL = "<script>alert('s3cr3t-1')</script>\"&'"


class Tags(HTMLParser):
    """Counts start tags, and notes attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one."""
        self.seen.append(tag)
        self.attributes |= {name for name, _ in attrs}


def tags(text: str) -> Tags:
    """Return the tags of a page."""
    found = Tags()
    found.feed(text)
    return found


def test_no_script_no_inline_style() -> None:
    """One style sheet, named by its hash; nothing that a policy would have to be weakened for."""
    page = render(VIEW)
    found = tags(page)
    assert found.seen.count("style") == 1
    assert not {"script", "img", "iframe"} & set(found.seen)
    assert re.findall('<link rel="icon" href="([a-z]+):', page) == ["data"]
    assert "style" not in found.attributes
    assert not [name for name in found.attributes if name.startswith("on")]
    style = re.search("<style>(.*)</style>", page, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in content_security_policy()
    assert "unsafe" not in content_security_policy()


def test_everything_is_escaped() -> None:
    """Whatever stands in a name, a detail or a hint stays text."""
    failure = FailureView("rejected", EVIL, EVIL, 1, NOW - hours(1), NOW + hours(1))
    one = view_of(WELL)
    bad = replace(
        one,
        outcome=EVIL,
        notes=(EVIL,),
        credentials=tuple(
            replace(c, registry=EVIL, outcome=EVIL, failure=failure) for c in one.credentials
        ),
        targets=tuple(replace(t, name=EVIL, outcome=EVIL) for t in one.targets),
    )
    page = render(View(NOW, "running", (bad,)))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 8
    assert tags(page).seen.count("svg") == tags(render(View(NOW, "running", (one,)))).seen.count(
        "svg"
    )


@pytest.mark.parametrize(
    ("rotations", "headline"),
    [
        ((view_of(WELL),), "✓ Everything is fresh and job-safe"),
        ((view_of(WELL), view_of(TROUBLED, name="legacy")), "✗ Not job-safe: legacy"),
        ((view_of(replace(WELL, outcome="partial")),), "! Job-safe, but needs attention: dind"),
        ((), "✗ Starting"),
    ],
    ids=["well", "not safe", "not fresh", "nothing yet"],
)
def test_title_says_it_all(rotations: tuple[object, ...], headline: str) -> None:
    """The tab of a browser is enough to know, in words and with a sign."""
    page = render(View(NOW, "running", rotations))  # type: ignore[arg-type]
    assert f"<title>{headline} - rotator on " in page


def test_refreshes_itself() -> None:
    """Without a script, by the document itself."""
    assert '<meta http-equiv="refresh" content="30">' in render(VIEW)


def many(rotations: int, targets: int) -> View:
    """Return a fleet's worth of rotations, of which one is in trouble."""
    paths = [f"/srv/runner-{n}/.docker/config.json" for n in range(targets)]
    files = [{"type": "file", "path": path} for path in paths]
    well = replace(WELL, targets={f"file:{path}": WELL.targets[FILE] for path in paths})
    views = [view_of(well, name=f"team-{n:02}", targets=files) for n in range(rotations)]
    views[17] = view_of(TROUBLED, name="team-17")
    return View(NOW, "running", tuple(views))


def test_a_large_fleet() -> None:
    """30 rotations and 200 targets: the worst first, the healthy collapsed, under 100 KB."""
    page = render(many(30, 7))
    assert len(page.encode()) < 100_000
    assert page.count("<details>") == 29
    assert page.count("<details open>") == 1
    first = page.partition("<details")[2].partition("</details>")[0]
    assert "team-17" in first
    one = render(many(18, 200), "team-03")
    assert f"and {200 - MOST_ROWS} more, all as they should be" in one


def test_filter() -> None:
    """`?q=` leaves the rotations with this in a name, opened, and of their rows those with it."""
    page = render(many(30, 7), " RUNNER-3/ ")
    assert "29 of 30 rotations" in page
    assert page.count("<details open>") == 29
    assert "/srv/runner-3/" in page
    assert "/srv/runner-4/" not in page
    assert "0 of 30 rotations" in render(many(30, 7), "nothing-like-it")
    assert EVIL not in render(VIEW, EVIL)


def test_says_where_it_is_from() -> None:
    """Host and version are there, for who has many of them open."""
    page = render(VIEW)
    assert f"rotator {__version__} on {platform.node()}" in page


def test_starting() -> None:
    """Before the first cycle has ended, nothing has crashed and nothing is green."""
    view: RotationView = replace(view_of(Record()), in_cycle=True)
    page = render(View(NOW, "running", (view,)))
    assert "Starting, the first cycle is running" in page


def test_commands_name_the_configuration() -> None:
    """What a hint and the page's foot say to type is about the configuration of this daemon."""
    one = replace(view_of(WELL), notes=("see it with rotator check",))
    page = render(View(NOW, "running", (one,)), file=Path("/my own.yaml"))
    for command in ("check", "status"):
        assert f"rotator --config &#39;/my own.yaml&#39; {command}" in page
    assert "<code>rotator status</code>" in render(VIEW)
