"""What each session of the AWS SDK is made of, made once: what it knows of AWS, and its handlers.

That is most of the work of a fetch, and none of it depends on who we are. The endpoints of every
service take 7 MB; they are kept without what nobody here calls.
"""

from __future__ import annotations

import copy
import functools
import json
from pathlib import Path
from typing import Any

import botocore.session
from botocore.hooks import HierarchicalEmitter
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


def new_session(profile: str | None) -> Any:
    """Return a new session of the SDK, which looks for its identity anew."""
    made = botocore.session.Session(
        event_hooks=copy.copy(_handlers()), include_builtin_handlers=False, profile=profile
    )
    made.register_component("data_loader", _descriptions())
    return made


@functools.cache
def _handlers() -> HierarchicalEmitter:
    """Return the SDK's own handlers; registering one means inspecting it, and there are 120."""
    hooks = HierarchicalEmitter()
    botocore.session.Session(event_hooks=hooks)
    return hooks


@functools.cache
def _descriptions() -> Loader:
    """Return the process's one loader."""
    return Loader(file_loader=_Reader())
