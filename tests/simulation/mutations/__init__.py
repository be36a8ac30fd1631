"""The mutations: each breaks one rule of the core by a change of its source.

Each is found by the core's unit tests or by the simulation: `make simulate-mutants`.
"""

from __future__ import annotations

from tests.simulation.mutations import (
    of_choosing,
    of_documents,
    of_leases,
    of_merging,
    of_plans,
    of_recall,
    of_records,
    of_times,
    of_worth,
)

MUTATIONS = (
    *of_recall.MUTATIONS,
    *of_choosing.MUTATIONS,
    *of_worth.MUTATIONS,
    *of_plans.MUTATIONS,
    *of_merging.MUTATIONS,
    *of_documents.MUTATIONS,
    *of_times.MUTATIONS,
    *of_records.MUTATIONS,
    *of_leases.MUTATIONS,
)
