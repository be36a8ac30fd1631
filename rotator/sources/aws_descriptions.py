"""The AWS SDK's own descriptions of AWS: read once, and kept without what nobody here calls.

Reading them is most of the work of a fetch, and the endpoints of every service take 7 MB.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from botocore.loaders import JSONFileLoader, Loader

# As `endpoints.json` names what we call, and what the SDK calls to get an identity.
_CALLED = frozenset({"api.ecr", "api.ecr-public", "oidc", "portal.sso", "signin", "sts"})


class _Reader(JSONFileLoader):  # type: ignore[misc]  # published without type information
    def load_file(self, file_path: str) -> Any:
        """Return a file's document; `file_path` comes without its extension."""
        file = Path(f"{file_path}.json")
        if file.name != "endpoints.json" or not file.exists():
            return super().load_file(file_path)
        # Plain dicts take half the time and memory of the SDK's ordered ones.
        document = json.loads(file.read_bytes())
        for partition in document["partitions"]:
            services = partition["services"]
            partition["services"] = {name: services[name] for name in _CALLED & services.keys()}
        return document


@functools.cache
def descriptions() -> Loader:
    """Return the process's one loader, for the component `data_loader` of an SDK session."""
    return Loader(file_loader=_Reader())
