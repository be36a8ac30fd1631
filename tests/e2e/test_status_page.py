"""The status page in a real Chromium: what a person sees, and what the browser asks for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from rotator.observe import page
from rotator.observe.http import Answer, HttpServer, Route
from tests.support import free_port, missing, need
from tests.unit.observe.test_page import many
from tests.unit.observe.views import ECR, HARBOR, HINT, VIEW

if TYPE_CHECKING:
    from collections.abc import Iterator

INSTALL = ".venv/bin/pip install playwright && apt-get install chromium fonts-dejavu-core"

# Where somebody wants to look at the screenshots.
SHOTS = os.environ.get("ROTATOR_TEST_SHOTS")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The page, served by the daemon's server."""
    body = page.render(VIEW).encode()
    answer = Answer(body, "text/html; charset=utf-8", policy=page.content_security_policy())
    port = free_port()
    server = HttpServer(
        "127.0.0.1", port, {"/": Route(lambda _: answer, local=True)}, structlog.get_logger()
    )
    server.start()
    yield f"http://127.0.0.1:{port}/"
    server.stop()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser."""
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415  it may not be installed
    except ImportError:
        missing("playwright", INSTALL)
    program = need("chromium", "chromium fonts-dejavu-core")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


class Tab:
    """The page at a size and in a colour scheme, and what the browser did for it."""

    def __init__(self, chromium: Any, address: str, width: int, **how: Any) -> None:
        self.context = chromium.new_context(viewport={"width": width, "height": 800}, **how)
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.replied: list[str] = []
        self.page.on("response", lambda response: self.replied.append(response.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(address)

    def shot(self, name: str) -> bytes:
        """Return a picture of the whole page, and keep it where somebody wants it."""
        picture: bytes = self.page.screenshot(full_page=True)
        if SHOTS:
            (Path(SHOTS) / f"{name}.png").write_bytes(picture)
        return picture


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_fits_and_asks_for_nothing_else(
    chromium: Any, address: str, width: int, scheme: str
) -> None:
    """No sideways scrolling on a phone, one request in all, and nothing for the console."""
    tab = Tab(chromium, address, width, color_scheme=scheme)
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
    over = tab.page.evaluate(
        "[...document.querySelectorAll('main *')].filter("
        "e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML)"
    )
    assert over == []
    assert tab.requests == [address]
    assert tab.complaints == []
    assert len(tab.shot(f"page-{width}-{scheme}")) > 10_000
    tab.context.close()


def test_light_and_dark_differ_and_can_be_read(chromium: Any, address: str) -> None:
    """Each text has a contrast of at least 4.5 on its ground, in both schemes (WCAG 2 AA)."""
    grounds = set()
    for scheme in ("light", "dark"):
        tab = Tab(chromium, address, 800, color_scheme=scheme)
        ratios = tab.page.evaluate(CONTRASTS)
        grounds.add(tab.page.evaluate("getComputedStyle(document.body).backgroundColor"))
        tab.context.close()
        assert len(ratios) > 30
        assert min(ratios.values()) >= 4.5, sorted(ratios.items(), key=lambda one: one[1])[:3]
    assert len(grounds) == 2


def test_a_large_fleet(chromium: Any) -> None:
    """30 rotations with 210 targets on a phone, and the filter, which needs no script."""
    fleet = many(30, 7)

    def answer(query: str) -> Answer:
        body = page.render(fleet, query).encode()
        policy = page.content_security_policy()
        return Answer(body, "text/html; charset=utf-8", policy=policy)

    port = free_port()
    server = HttpServer("127.0.0.1", port, {"/": Route(answer, local=True)}, structlog.get_logger())
    server.start()
    tab = Tab(chromium, f"http://127.0.0.1:{port}/", 360, java_script_enabled=False)
    tab.shot("fleet-360")
    assert tab.page.locator("details").count() == 30
    tab.page.get_by_role("searchbox").fill("team-05")
    tab.page.get_by_role("button").click()
    tab.page.wait_for_url("**/?q=team-05")
    assert tab.page.get_by_role("heading", level=2).all_inner_texts() == ["team-05: fresh"]
    assert tab.complaints == []
    tab.shot("fleet-filtered-360")
    tab.context.close()
    server.stop()


def test_large_letters(chromium: Any, address: str) -> None:
    """Twice the size on a phone still needs no sideways scrolling."""
    tab = Tab(chromium, address, 360)
    tab.page.evaluate("document.documentElement.style.fontSize = '32px'")
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 360
    tab.context.close()


def test_the_policy_holds(chromium: Any, address: str) -> None:
    """A script that gets into the page does not run, and loads nothing."""
    tab = Tab(chromium, address, 800)
    tab.page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1';"
        "document.body.append(s); const i = new Image(); i.src = '/x.png';"
        "document.body.append(i); }"
    )
    assert tab.page.evaluate("window.ran") is None
    assert tab.replied == [address]
    assert any("Content Security Policy" in text for text in tab.complaints)
    tab.context.close()


def test_what_a_screen_reader_says(chromium: Any, address: str) -> None:
    """Names, states, ends, and each bar in words; headings lead to each rotation."""
    tab = Tab(chromium, address, 800)
    assert tab.page.locator("details[open]").count() == 2
    tab.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    said = tab.page.locator("body").aria_snapshot()
    for words in (
        "Not job-safe: legacy, new",
        ECR,
        HARBOR,
        HINT,
        "42% of its life is over, renewal at 50%",
        "failed, ended 12 m ago",
    ):
        assert words in said
    assert "ends in 7 h, renewal in 1 h" in tab.page.locator("body").inner_text()
    headings = tab.page.get_by_role("heading", level=2).all_inner_texts()
    assert [text.split(":")[0] for text in headings] == ["legacy", "new", "dind", "paused-one"]
    assert tab.page.get_by_role("main").count() == 1
    assert tab.page.evaluate("document.documentElement.lang") == "en"
    tab.context.close()


def test_without_colour(chromium: Any, address: str) -> None:
    """Forced colours leave a bar's parts apart: the filled one has another colour than the rest."""
    tab = Tab(chromium, address, 800, forced_colors="active")
    fills = tab.page.evaluate(
        "['.rest', '.green-bar', '.renewal']"
        ".map(c => getComputedStyle(document.querySelector(c)).fill)"
    )
    assert fills[0] not in fills[1:]
    tab.shot("page-forced-colors")
    tab.context.close()


def test_the_bar_is_true(chromium: Any, address: str) -> None:
    """The filled part is the share of the life that is over, the mark is where it renews."""
    tab = Tab(chromium, address, 800)
    tab.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    whole, over, mark = tab.page.evaluate(
        "() => { const all = document.querySelectorAll('main details');"
        "const b = all[2].querySelector('svg'); const at = q => "
        "b.querySelector(q).getBoundingClientRect(); const w = at('.rest'); const m = at('path');"
        "return [w.width, at('.green-bar').width, m.x + m.width / 2 - w.x]; }"
    )
    assert over / whole == pytest.approx(5 / 12, abs=0.01)
    assert mark / whole == pytest.approx(0.5, abs=0.01)
    tab.context.close()


CONTRASTS = """() => {
  const parse = c => c.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const ground = e => { for (; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; }
    return [255, 255, 255]; };
  const found = {};
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    if (e.closest('style')) continue;
    const ink = light(parse(getComputedStyle(e).color));
    const [a, b] = [ink, light(ground(e))].sort((x, y) => y - x);
    found[e.outerHTML.slice(0, 120) + Object.keys(found).length] = (a + .05) / (b + .05);
  }
  return found;
}"""
