"""A candidate: a credential known for a registry, where it comes from, and what it is worth."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from rotator.core.docker_entry import login_text
from rotator.core.model import Credential, Proof, Verdict

if TYPE_CHECKING:
    from rotator.core.ports import Fingerprint

# Ends that sort with real ones: what works without an end, and what does not work at all.
FOREVER = datetime.max.replace(tzinfo=UTC)
DEAD = datetime.min.replace(tzinfo=UTC)

UNPROVEN = Proof(Verdict.UNKNOWN)


class Candidate(Struct, frozen=True):
    """A credential that could be published.

    `fetched`: its source gave it in this cycle and it was not known before. `foreign`: somebody
    else fetched it. `end_known`: a fetch, the journal, a mark or the token itself says when it
    ends, or that it has no end; otherwise it may end at any time. `superseded`: a newer one
    replaced it. `earlier_verdict`: what its registry said before this cycle; it counts while the
    registry can't be asked. `pending`: its registry does not know it yet, and may still learn of
    it. `claim`: the end in another rotator's mark.
    """

    credential: Credential
    fingerprint: str
    source: str
    proof: Proof = UNPROVEN
    fetched: bool = False
    foreign: bool = False
    end_known: bool = True
    superseded: bool = False
    earlier_verdict: str = ""
    pending: bool = False
    claim: datetime | None = None

    @property
    def registry(self) -> str:
        """The registry that it logs in to."""
        return self.credential.registry

    @property
    def end(self) -> datetime:
        """When it ends: `FOREVER` where it has no end, `DEAD` where its end is not known."""
        return (self.credential.expires_at or FOREVER) if self.end_known else DEAD

    @property
    def verdict(self) -> str:
        """The registry's last word on it: `accepted`, `rejected`, or empty where there is none."""
        if self.proof.verdict in {Verdict.ACCEPTED, Verdict.REJECTED}:
            return str(self.proof.verdict)
        return "" if self.proof.verdict is Verdict.SKIPPED else self.earlier_verdict

    @property
    def accepted(self) -> bool:
        """Tell whether its registry accepted it when it was asked last."""
        return self.verdict == Verdict.ACCEPTED

    @property
    def rejected(self) -> bool:
        """Tell whether its registry rejected it when it was asked last."""
        return self.verdict == Verdict.REJECTED

    def has_ended(self, now: datetime) -> bool:
        """Tell whether its known end has passed."""
        return self.end_known and self.end <= now

    @property
    def rank(self) -> tuple[bool, datetime, bool, str]:
        """What makes one candidate better: not superseded, a later known end, then being ours."""
        return (not self.superseded, self.end, not self.foreign, self.fingerprint)

    @property
    def worth(self) -> datetime:
        """Until when a job can pull with it: its end, `DEAD` where its registry rejects it."""
        return DEAD if self.rejected else self.end


def key_of(credential: Credential, fingerprint: Fingerprint) -> tuple[str, str]:
    """Return what names a credential: its registry, and the fingerprint of its login."""
    text = login_text(credential.username, credential.password)
    return credential.registry, fingerprint(text)


Candidates = Mapping[tuple[str, str], Candidate]
"""Every candidate by its registry and its fingerprint."""
