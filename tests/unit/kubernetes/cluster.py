"""What the tests of the way to an API server have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import DriverError
from tests.fakes.kubernetes_world import kubernetes_target

if TYPE_CHECKING:
    from rotator.kubernetes.access import Access
    from rotator.targets.kubernetes import KubernetesTarget

ALL = [{"apiGroups": [""], "resources": ["*"], "verbs": ["*"]}]
TOKEN = "s3cr3t-first-token"
NEXT_TOKEN = "s3cr3t-next-token"


def target(access: Access) -> KubernetesTarget:
    """Return a target that is enough to ask the server something."""
    return kubernetes_target(access, key="c")


def error_of(access: Access) -> DriverError:
    """Return what a read fails with."""
    with pytest.raises(DriverError) as caught:
        target(access).read()
    text = f"{caught.value} {caught.value.detail} {caught.value.hint}"
    assert "s3cr3t" not in text
    return caught.value
