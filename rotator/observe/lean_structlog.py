"""structlog, imported as if rich were not installed.

structlog imports rich wherever it finds it, for tracebacks that nobody here asks for: a tenth of
the time and 3 MB of what a rotation from Vault to a file takes. It works without.
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
