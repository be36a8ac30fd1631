"""Wrong documents and exactly what is said of them.

`SEEN`: an editor with the JSON Schema sees that they are wrong. `UNSEEN`: it can't, as that is a
matter between mappings, or of what no pattern tells.
"""

from __future__ import annotations

from tests.unit.config.cases_rules import RULES
from tests.unit.config.cases_shape import SHAPE
from tests.unit.config.cases_unseen import UNSEEN

SHOWN = SHAPE | RULES

__all__ = ["SHOWN", "UNSEEN"]
