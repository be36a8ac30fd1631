"""The status page: one HTML document, no script, nothing from elsewhere.

Bars are SVG, whose sizes are attributes: a `style` attribute would need a weaker policy.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta
from html import escape
from typing import TYPE_CHECKING

from rotator.core.candidate import FOREVER
from rotator.core.report import iso
from rotator.observe.status import RUNNING
from rotator.observe.words import clock_time, in_words, relative

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from rotator.core.record import FailureRecord
    from rotator.observe.status import CredentialStatus, RotationStatus, Status, TargetStatus

REFRESH_SECONDS = 30

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --ground: #f6f7f9;
  --card: #fff; --line: #d5dae0; --good: #17682f; --bad: #b3201f; --rest: #dfe4ea; --over: #3d7a52;
  --badground: #fdeceb; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebef; --soft: #a2acb8; --ground: #12161b;
  --card: #1b2027; --line: #343c46; --good: #6fcf8b; --bad: #ff8f88; --rest: #39424d;
  --over: #4f9c6b; --badground: #3a1d1e; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; background: var(--ground);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .5rem 0; }
h2 { font-size: 1.25rem; margin: 0; }
h3 { font-size: .9rem; margin: 1.25rem 0 .25rem; color: var(--soft); font-weight: 600; }
p { margin: .25rem 0; }
header p, footer { color: var(--soft); }
section { background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
  padding: 1rem; margin: 1rem 0; }
ul { list-style: none; margin: 0; padding: 0; }
li { padding: .6rem 0; border-top: 1px solid var(--line); }
li:first-child { border-top: 0; }
.row { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1.5rem; }
a { color: inherit; }
.name { font-weight: 600; }
.soft { color: var(--soft); }
.good { color: var(--good); }
.bad { color: var(--bad); font-weight: 600; }
.trouble { background: var(--badground); border-left: .3rem solid var(--bad); border-radius: .3rem;
  padding: .6rem .8rem; margin: .75rem 0 0; }
code { font: .9em ui-monospace, monospace; }
svg { display: block; width: 100%; height: 1.25rem; margin: .3rem 0 .1rem; }
.rest { fill: var(--rest); }
.over { fill: var(--over); }
.late { fill: var(--bad); }
.renewal { fill: var(--ink); stroke: var(--card); }
footer { font-size: .9rem; }
@media (forced-colors: active) { .rest { fill: Canvas; stroke: CanvasText; }
  .over, .late, .renewal { fill: CanvasText; } }
"""

_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""What a browser may do with the page: apply its one style sheet, and nothing else."""


def render(status: Status) -> str:
    """Return the page as HTML."""
    headline = _headline(status)
    good = bool(status.rotations) and all(one.good for one in status.rotations)
    rotations = "".join(_rotation(rotation, status.at) for rotation in status.rotations)
    daemon = "The daemon is running." if status.daemon == RUNNING else "No daemon is running."
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="{REFRESH_SECONDS}">
<meta name="robots" content="noindex">
<title>{_mark(good)} {escape(headline)} - rotator</title>
<style>{_STYLE}</style>
</head>
<body>
<header>
<h1><span class="{"good" if good else "bad"}">{_mark(good)}</span> {escape(headline)}</h1>
<p>{daemon} As of {_time(status.at, clock_time(status.at))}; \
this page reads itself anew every {REFRESH_SECONDS} seconds.</p>
</header>
<main>{rotations}</main>
<footer><p>A bar is a credential's life from its issue to its end; the filled part is over, the \
diamond is its renewal. The same as text: <code>rotator status</code>, and for machines \
<a href="/api/status">/api/status</a>.</p></footer>
</body>
</html>
"""


def _headline(status: Status) -> str:
    if not status.rotations:
        return "Starting"
    if status.unsafe:
        names = ", ".join(rotation.name for rotation in status.unsafe)
        return f"Not job-safe: {names}"
    troubled = [rotation.name for rotation in status.rotations if not rotation.good]
    if troubled:
        return f"Job-safe, but not all fresh: {', '.join(troubled)}"
    return "Everything is fresh and job-safe"


def _rotation(rotation: RotationStatus, now: datetime) -> str:
    name = escape(rotation.name)
    return f"""
<section aria-labelledby="rotation-{name}">
<h2 id="rotation-{name}">{name}: <span class="{_class(rotation.good, rotation.outcome)}">\
{escape(_state(rotation.outcome, good=rotation.good))}</span></h2>
{"".join(f"<p>{line}</p>" for line in _facts(rotation, now))}
{"".join(_trouble(names, trouble, now) for names, trouble in rotation.troubles())}
<h3>Credentials</h3>
<ul>{"".join(_credential(one, now) for one in rotation.credentials)}</ul>
<h3>Targets</h3>
<ul>{"".join(_target(one, now) for one in rotation.targets)}</ul>
{"".join(f'<p class="soft">Note: {escape(note)}</p>' for note in rotation.notes)}
</section>"""


def _facts(rotation: RotationStatus, now: datetime) -> Iterable[str]:
    job = in_words(timedelta(seconds=rotation.longest_job))
    if rotation.outcome == "paused":
        yield "Paused: nothing is fetched or written."
    if not rotation.job_safe:
        yield f'<span class="bad">✗ Not job-safe:</span> a job of {job} may lose its registries.'
    elif rotation.safe_until is None:
        yield f'<span class="good">✓ Job-safe</span> for jobs of {job}; nothing ends by itself.'
    else:
        left = _time(rotation.safe_until, in_words(rotation.safe_until - now))
        yield (
            f'<span class="good">✓ Job-safe</span> for jobs of {job} that start within {left}, '
            "even if nothing can be fetched."
        )
    if rotation.ended_at is None:
        return
    words = f"Last cycle {_when(rotation.ended_at, now)}"
    if rotation.next_at is not None:
        due = "was due " if rotation.next_at < now else ""
        words += f", next {due}{_when(rotation.next_at, now)}"
    if rotation.succeeded_at is None:
        words += ", never a success"
    elif rotation.succeeded_at != rotation.ended_at:
        words += f", last success {_when(rotation.succeeded_at, now)}"
    yield f'<span class="soft">{words}.</span>'


def _credential(credential: CredentialStatus, now: datetime) -> str:
    outcome = credential.outcome
    state = _state(outcome, good=credential.good)
    if credential.proof in {"accepted", "rejected"} and credential.proof != outcome:
        state += f", {credential.proof}"
    ends = ""
    if credential.expires_at is not None:
        verb = "ended" if credential.expires_at < now else "ends"
        ends = f"{verb} {_when(credential.expires_at, now)}"
        if credential.renew_at is not None and credential.good:
            due = credential.renew_at < now
            when = "due" if due else relative(credential.renew_at, now)
            ends += f", renewal {_time(credential.renew_at, when)}"
    elif credential.fingerprint is not None:
        ends = "has no known end"
    return f"""<li><div class="row"><span class="name">{escape(credential.name)}</span>
<span class="{_class(credential.good, outcome)}">{escape(state)}</span></div>
{_bar(credential, now)}<span class="soft">{ends}</span></li>"""


def _bar(credential: CredentialStatus, now: datetime) -> str:
    shares = credential.shares(now)
    if shares is None:
        return ""
    over, renewal = shares
    late = not credential.good or (renewal is not None and over > renewal + 0.2)
    label = f"{over:.0%} of its life is over"
    mark = ""
    if renewal is not None:
        label += f", renewal at {renewal:.0%}"
        # A nested drawing keeps the diamond's shape whatever the bar's width.
        mark = (
            f'<svg x="{renewal:.2%}" overflow="visible">'
            '<path class="renewal" d="M0 1 L7 10 L0 19 L-7 10 Z"/></svg>'
        )
    return f"""<svg role="img" aria-label="{label}">
<rect class="rest" y="5" width="100%" height="10" rx="5"/>
<rect class="{"late" if late else "over"}" y="5" width="{over:.2%}" height="10" rx="5"/>
{mark}</svg>
"""


def _target(target: TargetStatus, now: datetime) -> str:
    outcome = target.outcome
    state = _state(outcome, good=target.good)
    words = []
    if target.written_at is not None:
        words.append(f"written {_when(target.written_at, now)}")
    if target.end is None and outcome not in {None, "paused"}:
        words.append("an entry in it does not work")
    elif target.end is not None and target.end != FOREVER:
        first = "ended" if target.end < now else "first end"
        words.append(f"{first} {_when(target.end, now)}")
    return f"""<li><div class="row"><span class="name">{escape(target.name)}</span>
<span class="{_class(target.good, outcome)}">{escape(state)}</span></div>
<span class="soft">{", ".join(words)}</span></li>"""


def _trouble(names: str, trouble: FailureRecord, now: datetime) -> str:
    times = "once" if trouble.count == 1 else f"{trouble.count} times in a row"
    again = _when(trouble.retry_at, now)
    return f"""<div class="trouble"><p><span class="bad">✗ {escape(trouble.reason)}</span>: \
{escape(names)}</p>
<p>{escape(trouble.detail)}</p>
<p>To do: {escape(trouble.hint)}</p>
<p class="soft">Failed {times}, the first time {_when(trouble.since, now)}; \
tried again {"now" if trouble.retry_at < now else again}.</p></div>"""


def _when(moment: datetime, now: datetime) -> str:
    return _time(moment, relative(moment, now))


def _time(moment: datetime, words: str) -> str:
    return f'<time datetime="{iso(moment)}" title="{clock_time(moment)}">{escape(words)}</time>'


def _mark(good: bool) -> str:  # noqa: FBT001  a word for a truth value
    return "✓" if good else "✗"


def _state(outcome: str | None, *, good: bool) -> str:
    if outcome is None:
        return "no cycle yet"
    return outcome if outcome == "paused" else f"{_mark(good)} {outcome}".replace("_", " ")


def _class(good: bool, outcome: str | None) -> str:  # noqa: FBT001  as above
    if outcome in {None, "paused"}:
        return "soft"
    return "good" if good else "bad"
