"""Seeds that broke a promise once, and what they showed. Append a seed here when one fails.

A seed's history changes whenever the world or the core does, so what a seed showed also has a test
of its own beside the rule that was wrong.
"""

from __future__ import annotations

SEEDS = {
    46: "no working password in a place",
    203577: "no working password in a place",
    883333: "no working password in a place",
    469040: "no working password in a place",
    315064: "no working password in a place",
    341871: "job-safe for 7,978 years with a dead password",
    586113: "a lease is revoked that is needed",
    696440: "the reserve is short",
    696446: "the reserve is short",
    269884: "a live entry is taken out",
    315061: "a live entry is taken out",
    269880: "not job-safe for good",
    696460: "not job-safe for good",
    877714: "not job-safe for good",
    203559: "writes without end",
    539331: "writes without end",
    220458: "writes without end",
    216071: "writes without end",
    720601: "writes without end",
    203531: "an end on a clock of the past",
    883324: "an end on a clock of the past",
    178: "two rotators write in turn where a job is longer than any life, after a race",
    213: "an end on a clock that was a day ahead is believed after a crash",
    288: "a lease that an old journal calls pending is revoked while its target can't be read",
    68: "two rotators renew against each other where a life just covers a job",
    295: "an edit under another rotator's mark is believed in the second cycle",
    261747022: "a forced credential that was pending does not replace the old one",
    755091268: "a lease of two registries is revoked that one of them uses",
    755091393: "a lease is revoked whose credential is published again",
    755091450: "a claim is passed on from an edited document",
    646302776: "a lease's wait begins while a paused target holds its credential",
    646303103: "a lease's wait begins before its credential is replaced",
    646303132: "a lease's wait begins before its credential is replaced",
    955607628: "a changed secret that was pending does not replace the old one",
    899290267: "a replaced credential that is back counts as good, and its owner ends it",
    475002324: "a pending credential is published while its registry is silent",
    481000420: "a verdict that came too late is taken for one",
    481000507: "two rotators write in turn what a third published",
    481000609: "a source is asked each second whose pending credential is accepted",
    482000078: "a repair loses what has just left the configuration",
    482000276: "what a clock that was ahead fetched is fetched again at each cycle",
    482000327: "a lease's wait begins before its credential was found replaced",
    482000748: "a value that a late read did not show is unsafe until the next renewal",
    482000771: "an entry that came during a cycle is proven a poll later",
    485000173: "what a person put into one target goes into the others, unproven",
    486000536: "an entry that its source gives again is lost from a hidden value",
    485000584: "two rotators that were given the same write its end in turn",
    484000136: "an entry that is back and ends last is not good for a poll",
}
"""Seed by seed: what it showed."""
