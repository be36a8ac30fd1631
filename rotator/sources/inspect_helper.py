"""Checks the source `credential_helper`: the helper runs, and its registries take what it says."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec import structs

from rotator.core.errors import Reason, TemporaryError
from rotator.inspection import Case, Found, Given, ok, warning
from rotator.sources.credential_helper import build

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rotator.config.sources import CredentialHelperSourceSettings

_LONGEST = timedelta(seconds=15)


def inspect(settings: CredentialHelperSourceSettings, case: Case) -> Iterator[Found]:
    """Run the helper as a fetch does; it has less time here than it has there."""
    hurried = structs.replace(settings, timeout=min(settings.timeout, _LONGEST))
    try:
        credentials = build(hurried, case.clock).fetch(())
    except TemporaryError as error:
        if error.reason is not Reason.TIMEOUT or settings.timeout <= _LONGEST:
            raise
        yield warning(error.detail, f"{error.hint}; a fetch gives it longer than this check can")
        return
    yield ok(f"docker-credential-{settings.helper} answers")
    yield Given(credentials)
