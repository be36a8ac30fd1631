"""Says what is wrong with a document by what the programs that read it take of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.clients.judge import judge

if TYPE_CHECKING:
    from collections.abc import Collection

    from rotator.checks.finding import Findings
    from rotator.clients.lookups import Consumer


def problems(
    text: str,
    consumers: Collection[Consumer],
    ours: Collection[str],
    findings: Findings,
    surely: Collection[Consumer] | None = None,
) -> None:
    """Write down what concerns these programs; a failure where one does not take a login of ours.

    `ours`: the registries whose logins count. `surely`: the programs that certainly read the
    document; default: all of them.
    """
    judgement = judge(text, consumers)
    failing = {
        consumer
        for registry in judgement.verdicts.keys() & set(ours)
        for consumer, verdict in judgement.verdicts[registry].items()
        if not verdict.taken and consumer in (consumers if surely is None else surely)
    }
    for problem in judgement.problems:
        concerned = [consumer for consumer in problem.consumers if consumer in failing]
        if concerned:
            findings.failure(f"{problem.what} (not taken: {', '.join(concerned)})", problem.todo)
        else:
            findings.warning(problem.what, problem.todo)
