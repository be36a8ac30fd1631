"""What every target promises, tried on each of them: fakes and real servers alike."""

from __future__ import annotations

import base64
import json
import traceback
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import ConflictError, DriverError, TemporaryError
from rotator.core.model import Held, Mark, Policy, Secret
from rotator.targets import DRIVERS
from tests.faults import Crash, crashing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rotator.core.ports import Target
    from tests.contract.benches import TargetBench

# Each driver's bench becomes a fixture of this module, `TYPE_bench`: one that is missing fails its
# driver's tests. A stand-in's neighbour over the real server is `TYPE_real_bench`.
BENCHES = {driver: f"{driver}_bench" for driver in DRIVERS}
for driver, name in tuple(BENCHES.items()):
    if find_spec(f"tests.contract.{name}"):
        module = import_module(f"tests.contract.{name}")
        globals()[name] = module.bench
        if hasattr(module, "real_bench"):
            BENCHES[f"{driver}, real"] = f"{driver}_real_bench"
            globals()[f"{driver}_real_bench"] = module.real_bench

POLICY = Policy()
END = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)
MARK = Mark({"one.example.com": END, "two.example.com": None}, "hmac:0123456789ab", "dind")
MOST_TROUBLES = 16
MOST_CALLS = 500


def document(password: str, **more: object) -> str:
    """Return a docker config as the core writes it: compact, on one line."""
    auth = base64.b64encode(f"AWS:{password}".encode()).decode()
    auths = {"one.example.com": {"auth": auth}, "two.example.com": {"auth": auth}}
    return json.dumps({"auths": auths, **more}, separators=(",", ":"), ensure_ascii=False)


OLD = document("s3cr3t-old-and-good")
NEW = document("s3cr3t-new-and-better")
OTHER = document("s3cr3t-of-somebody-else")


@pytest.fixture(params=sorted(BENCHES))
def bench(request: pytest.FixtureRequest) -> TargetBench:
    """Return the bench of each driver in turn."""
    found: TargetBench = request.getfixturevalue(BENCHES[request.param])
    return found


def publish(target: Target, text: str, mark: Mark = MARK) -> Held:
    """Read and write, as a cycle does."""
    return target.write(Secret(text), mark, target.read())


def assert_tells_no_secret(error: BaseException, secrets: Iterable[str]) -> None:
    """Look for each secret in whatever a log could make of the error and of its causes."""
    shown = "".join(traceback.format_exception(error))
    if isinstance(error, DriverError):
        shown += f"{error!r}{error.args}{error.detail}{error.hint}"
    for secret in secrets:
        assert secret not in shown


def test_holds_nothing_at_first(bench: TargetBench) -> None:
    """Where nothing was published, nothing is read, and that is no error."""
    held = bench.target(POLICY).read()
    assert (held.text, held.mark) == (None, None)
    assert bench.raw() is None


def test_keeps_text_and_mark(bench: TargetBench) -> None:
    """What is missing is created; another process reads the same text and mark back."""
    written = publish(bench.target(POLICY), NEW)
    assert bench.raw() == NEW
    read = bench.target(POLICY).read()
    assert read.text == written.text == Secret(NEW)
    assert read.mark == written.mark
    assert read.mark in (MARK, None)
    assert not read.withheld


def test_the_answer_of_a_write_is_good_for_the_next(bench: TargetBench) -> None:
    """A second write may build on what the first one returned, without another read."""
    target = bench.target(POLICY)
    target.write(Secret(NEW), MARK, publish(target, OLD))
    assert bench.raw() == NEW


def test_replaces_what_others_wrote(bench: TargetBench) -> None:
    """A text without a mark is read as it is, and replaced whole."""
    bench.put(OTHER)
    target = bench.target(POLICY)
    held = target.read()
    assert held.text == Secret(OTHER)
    assert held.mark is None
    target.write(Secret(NEW), MARK, held)
    assert bench.raw() == NEW
    assert bench.target(POLICY).read().mark in (MARK, None)


def test_tolerates_what_a_stranger_does_to_our_text(bench: TargetBench) -> None:
    """Somebody edits what we wrote: the text is theirs, the mark may be ours or gone."""
    publish(bench.target(POLICY), OLD)
    bench.put(OTHER)
    held = bench.target(POLICY).read()
    assert held.text == Secret(OTHER)
    assert held.mark in (MARK, None)


def test_passes_on_the_mark_of_another_rotator(bench: TargetBench) -> None:
    """A mark is anybody's who speaks the same language; a later one replaces it."""
    theirs = Mark({"one.example.com": END.replace(hour=23)}, "hmac:ba9876543210", "another")
    publish(bench.target(POLICY), OLD, theirs)
    target = bench.target(POLICY)
    held = target.read()
    assert held.mark in (theirs, None)
    assert target.write(Secret(NEW), MARK, held).mark in (MARK, None)
    assert bench.target(POLICY).read().mark in (MARK, None)


@pytest.mark.parametrize("before", [None, OLD], ids=["created", "changed"])
def test_notices_a_write_since_it_was_read(bench: TargetBench, before: str | None) -> None:
    """Where a target compares, the other's write stands; elsewhere the core reads again first."""
    if before is not None:
        bench.put(before)
    target = bench.target(POLICY)
    held = target.read()
    bench.put(OTHER)
    noticed: ConflictError | None = None
    try:
        target.write(Secret(NEW), MARK, held)
    except ConflictError as error:
        noticed = error
    if noticed is not None:
        assert_tells_no_secret(noticed, (NEW, OTHER))
        assert bench.raw() == OTHER
        publish(target, NEW)
    else:
        assert not target.compares
    assert bench.raw() == NEW


def test_a_read_changes_nothing(bench: TargetBench) -> None:
    """Two reads find the same version, and the place has seen no write."""
    publish(bench.target(POLICY), OLD)
    seen = bench.writes()
    target = bench.target(POLICY)
    first, second = target.read(), target.read()
    assert first == second
    assert bench.target(POLICY).read().version == first.version
    assert bench.writes() == seen


@pytest.mark.parametrize(
    "text",
    [document("s3cr3t-" + "x" * 24_500), document("s3cr3t-ü€😀", HttpHeaders={"X-Né": "ü€😀"})],
    ids=["64 KiB", "unicode"],
)
def test_takes_what_is_unusual_or_says_why_not(bench: TargetBench, text: str) -> None:
    """A large document, or one with letters from everywhere, is kept exactly or refused whole."""
    bench.put(OLD)
    target = bench.target(POLICY)
    held = target.read()
    refused: DriverError | None = None
    try:
        target.write(Secret(text), MARK, held)
    except DriverError as error:
        refused = error
    if refused is None:
        assert bench.raw() == text
        assert bench.target(POLICY).read().text == Secret(text)
    else:
        assert refused.hint
        assert_tells_no_secret(refused, (text, OLD))
        assert bench.raw() == OLD


@pytest.mark.parametrize("number", range(MOST_TROUBLES))
def test_says_what_is_wrong(bench: TargetBench, number: int) -> None:
    """Each trouble has its reason and a hint, tells no secret and leaves what is published."""
    troubles = sorted(bench.troubles().items())
    assert len(troubles) <= MOST_TROUBLES
    if number >= len(troubles):  # only the bench itself knows how many there are
        return
    name, (trouble, reason, temporary) = troubles[number]
    bench.put(OLD)
    target = bench.target(POLICY)
    target.read()
    trouble()
    published = bench.raw()
    with pytest.raises(DriverError) as caught:
        publish(target, NEW)
    error = caught.value
    assert (error.reason, isinstance(error, TemporaryError)) == (reason, temporary), name
    assert error.hint, name
    assert_tells_no_secret(error, (NEW, OLD, *(secret.reveal() for secret in bench.secrets)))
    assert bench.raw() == published, name


def test_a_crash_leaves_the_old_text_or_the_new(bench: TargetBench) -> None:
    """Wherever the process ends, what is published is whole, and the next process goes on."""
    publish(bench.target(POLICY), OLD)
    for number in range(1, MOST_CALLS):
        target = bench.target(POLICY)
        try:
            with crashing(number):
                publish(target, NEW)
        except Crash:
            assert bench.raw() in (OLD, NEW), f"after a crash before call {number}"
            publish(bench.target(POLICY), OLD)
            assert bench.raw() == OLD
        else:
            break
    else:
        pytest.fail(f"a write took more than {MOST_CALLS} calls")
    assert number > 1
    assert bench.raw() == NEW
