"""Mutations of when a source is asked, and when the next cycle begins."""

from __future__ import annotations

from tests.simulation.mutations.mutation import in_file

MUTATIONS = (
    *in_file(
        "core/rotation.py",
        (
            "rotation: a clock that went back gives a registry longer than settle",
            "return since <= now < since + self.settle",
            "return now < since + self.settle",
        ),
    ),
    *in_file(
        "core/due.py",
        (
            "due: a renewal's time does not matter",
            "return known.renew_at is not None and known.renew_at <= now",
            "return False",
        ),
        (
            "due: a source that failed is asked at each cycle",
            "return past.attempted_at <= now < past.failure.retry_at",
            "return False",
        ),
        (
            "due: a new login secret is not noticed",
            "offered is not None and offered != driver.login_stamp():",
            "False:",
        ),
        (
            "due: a clock that went back is not noticed",
            (
                "    if step < -CLOCK_STEP or _is_clock_back(record, now):\n"
                "        return Wake.CLOCK_BACK\n"
            ),
            "",
        ),
        (
            "due: a pending credential makes another be fetched",
            (
                "    if any(newest[registry].pending for registry in registries):\n"
                "        return False\n"
            ),
            "",
        ),
        (
            "due: what can change early is never asked again",
            ("    if past.poll_at is not None and past.poll_at <= now:\n        return True\n"),
            "",
        ),
        (
            "next: a poll is not the latest",
            "times = [schedule.poll_at(now, rotation.schedule, u=random())]",
            "times = [now + 3 * rotation.schedule.poll]",
        ),
        (
            "next: renewals are not in it",
            (
                "            times += [known.renew_at for known in newest if known.renew_at is "
                "not None]\n"
            ),
            "",
        ),
        (
            "next: a target's retry is not in it",
            "times.append(past_target.failure.retry_at)",
            "pass",
        ),
        (
            "due: a source that is configured in another way is not asked until the next renewal",
            "if not registries or past.changed or any(",
            "if not registries or any(",
        ),
        (
            "due: what has no end is never asked again",
            "past.poll_at is None and (source.changes_early or endless)",
            "past.poll_at is None and source.changes_early",
        ),
        (
            "due: a record from the future is believed",
            "never_polled or _is_clock_back(record, now):",
            "never_polled:",
        ),
        (
            "due: a clock that went back makes a wait longer",
            "return past.attempted_at <= now < past.failure.retry_at",
            "return now < past.failure.retry_at",
        ),
        (
            "due: a source waits though its login is new",
            ("    if stamp is not None and stamp != source.login_stamp():\n        return False\n"),
            "",
        ),
        (
            "due: what ends nobody knows when is not renewed",
            ("    if not one.end_known:\n        return True\n"),
            ("    if not one.end_known:\n        return False\n"),
        ),
        (
            "next: a source's retry is not in it",
            ("            times.append(past.failure.retry_at)\n            continue\n"),
            "            continue\n",
        ),
        (
            "next: what is pending is not in it",
            "schedule.pending_wait(one.tries), one.since + rotation.settle)",
            "rotation.schedule.poll, now + rotation.schedule.poll)",
        ),
        (
            "next: what is overdue wakes each second while its successor is pending",
            "if any(registry in pending for registry in registries):",
            "if False:",
        ),
        (
            "next: the end of a retired lease is not in it",
            (
                "    times += [retired.revoke_at for retired in record.retired if retired.source "
                "in names]\n"
            ),
            "",
        ),
        (
            "next: a target that waits is not in it",
            "    times += [time for time in again if time is not None]\n",
            "",
        ),
        (
            "next: it can be in the past",
            "return max(min(times), now + SECOND)",
            "return min(times)",
        ),
        (
            "wake: a clock that went forward is not noticed",
            ("    if step > CLOCK_STEP:\n        return Wake.CLOCK_FORWARD\n"),
            "",
        ),
        (
            "wake: a cycle is due by the clock that can be set",
            "if armed.next_at - armed.now <= passed:",
            "if armed.next_at <= now and False:",
        ),
    ),
    *in_file(
        "core/schedule.py",
        (
            "schedule: renewals may be later than the reserve",
            "offset = min(offset, 0.75 * (life - schedule.longest_job))",
            "pass",
        ),
        (
            "schedule: waits are not capped by the life that is left",
            "return min(max(limit, lowest), schedule.retry_max)",
            "return schedule.retry_max",
        ),
        (
            "schedule: where nothing is published it waits as long as ever",
            "return min(_URGENT, schedule.retry_max)",
            "return schedule.retry_max",
        ),
        (
            "start: what is overdue is put off though jobs are not safe",
            "return u * min(schedule.poll, safe / 4) if safe > NOTHING else NOTHING",
            "return u * schedule.poll",
        ),
        (
            "schedule: a renewal comes before a tenth of a life",
            "    offset = max(offset, 0.1 * life)\n",
            "",
        ),
        (
            "schedule: hosts that were deployed together renew together",
            "spread = 0.9 * offset if wide else min(",
            "spread = min(",
        ),
        (
            "schedule: jitter makes a renewal come at once",
            "min(schedule.jitter * life, offset / 2)",
            "schedule.jitter * life",
        ),
        (
            "schedule: waits do not grow",
            "total_seconds() * 2 ** min(failures - 1, 30), limit)",
            "total_seconds(), limit)",
        ),
        (
            "schedule: what is permanent is retried as what is not",
            ("    if permanent:\n        wait"),
            ("    if False:\n        wait"),
        ),
        (
            "schedule: a throttle is not obeyed",
            "wait = max(wait, asked * (1 + 0.1 * u))",
            "pass",
        ),
        (
            "schedule: a throttle is obeyed whatever the life",
            "asked = _capped(retry_after, longest_wait(schedule, life, throttled=True))",
            "asked = timedelta(seconds=min(retry_after, 1e9))",
        ),
        (
            "schedule: a wait takes half of the reserve and more",
            "limit = min(life.left / 20, safe / 2) if safe > NOTHING else life.left / 20",
            "limit = life.left / 20",
        ),
        (
            "schedule: a wait becomes shorter than a second",
            "lowest = min(max(life.whole / 20, SECOND), _URGENT)",
            "lowest = NOTHING",
        ),
        (
            "schedule: what has no end is retried more seldom than it is read",
            "return min(limit, schedule.poll) if life == ENDLESS else limit",
            "return limit",
        ),
        (
            "schedule: a pending credential is asked about at once",
            "seconds=0.5 * 2 ** min(tries - 1, 6))",
            "seconds=0.5)",
        ),
    ),
    *in_file(
        "core/conclude.py",
        (
            "next: what somebody wrote during a cycle is proven a poll later",
            "one is None or is_back(one, s, record)",
            "one is not None and is_back(one, s, record)",
        ),
        (
            "next: what another rotator had replaced and is back is read a poll later",
            "one is None or is_back(one, s, record)",
            "one is None",
        ),
    ),
    *in_file(
        "slots.py",
        (
            "daemon: starting is inverted",
            "starting=slot.report is None",
            "starting=slot.report is not None",
        ),
    ),
)
