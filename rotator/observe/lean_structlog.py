"""structlog, imported as if rich were not installed.

structlog imports rich wherever it finds it, for tracebacks that nobody here asks for. Rich takes
18 % of the processor time of a cold start from file to file, an eighth of its modules, and 3 MB.
structlog works without. The test counts the modules, and fails once structlog loads no rich.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from types import ModuleType

_modules = cast("dict[str, ModuleType | None]", sys.modules)

# None makes an import of it fail (https://docs.python.org/3/reference/import.html#the-module-cache).
_modules.setdefault("rich", None)
try:
    import structlog
finally:
    if _modules["rich"] is None:
        del _modules["rich"]

__all__ = ["structlog"]
