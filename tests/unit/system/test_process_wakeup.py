"""A call before the wait counts, and the wait is never stuck, whatever a signal interrupts."""

from __future__ import annotations

import subprocess
import sys
import threading

from rotator.system.process import Wakeup

# A signal each 100 microseconds, while the thread that it interrupts waits 20,000 times.
STORM = """
import signal
from rotator.system.process import Wakeup

wakeup, rung = Wakeup(), 0

def ring(*_):
    global rung
    rung += 1
    wakeup.wake()

signal.signal(signal.SIGALRM, ring)
signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
for _ in range(20_000):
    wakeup.wait(0.00005)
signal.setitimer(signal.ITIMER_REAL, 0)
print("rung" if rung else "not rung")
"""


def test_rings_before_the_wait_are_heard_as_one() -> None:
    """What rang meanwhile ends the next wait at once, and only that one."""
    wakeup = Wakeup()
    wakeup.wake()
    wakeup.wake()
    wakeup.wait(3600)
    waited = threading.Event()
    thread = threading.Thread(target=lambda: (wakeup.wait(3600), waited.set()), daemon=True)
    thread.start()
    assert not waited.wait(0.2)
    wakeup.wake()
    thread.join(20)
    assert waited.is_set()


def test_time_over() -> None:
    """A wait that nobody ends ends by itself."""
    Wakeup().wait(0.01)


def test_a_storm_of_signals() -> None:
    """A handler that interrupts the waiting thread at any instant never waits for itself."""
    done = subprocess.run(
        [sys.executable, "-c", STORM], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (0, "rung\n"), done.stderr
