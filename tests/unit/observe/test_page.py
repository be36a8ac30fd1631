"""The status page as text; what a browser makes of it is tested in `e2e`."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from msgspec.structs import replace

from rotator.core.record import Trouble
from rotator.observe.page import CONTENT_SECURITY_POLICY, render
from rotator.observe.status import Status
from tests.support import NOW
from tests.unit.observe.standing import STATUS, TROUBLED, WELL, hours, stand

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
    page = render(STATUS)
    found = tags(page)
    assert found.seen.count("style") == 1
    assert not {"script", "img", "iframe", "form", "link"} & set(found.seen)
    assert "style" not in found.attributes
    assert not [name for name in found.attributes if name.startswith("on")]
    style = re.search("<style>(.*)</style>", page, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY


def test_everything_is_escaped() -> None:
    """Whatever stands in a name, a detail or a hint stays text."""
    trouble = Trouble(1, "rejected", EVIL, EVIL, NOW - hours(1), NOW + hours(1))
    one = stand(WELL)
    bad = replace(
        one,
        outcome=EVIL,
        notes=(EVIL,),
        credentials=tuple(
            replace(c, registry=EVIL, outcome=EVIL, trouble=trouble) for c in one.credentials
        ),
        targets=tuple(replace(t, name=EVIL, outcome=EVIL) for t in one.targets),
    )
    page = render(Status(NOW, "running", (bad,)))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 8
    assert tags(page).seen.count("svg") == tags(render(Status(NOW, "running", (one,)))).seen.count(
        "svg"
    )


@pytest.mark.parametrize(
    ("rotations", "headline"),
    [
        ((stand(WELL),), "✓ Everything is fresh and job-safe"),
        ((stand(WELL), stand(TROUBLED, name="legacy")), "✗ Not job-safe: legacy"),
        ((stand(replace(WELL, outcome="partial")),), "✗ Job-safe, but not all fresh: dind"),
        ((), "✗ Starting"),
    ],
    ids=["well", "not safe", "not fresh", "nothing yet"],
)
def test_title_says_it_all(rotations: tuple[object, ...], headline: str) -> None:
    """The tab of a browser is enough to know, in words and with a sign."""
    page = render(Status(NOW, "running", rotations))  # type: ignore[arg-type]
    assert f"<title>{headline} - rotator</title>" in page


def test_refreshes_itself() -> None:
    """Without a script, by the document itself."""
    assert '<meta http-equiv="refresh" content="30">' in render(STATUS)
