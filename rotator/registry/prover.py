"""Shows a credential to its registry, as `docker login` does it.

`GET /v2/` without a login brings the challenge, which says where and how the login is wanted. Some
registries let anybody in there and refuse only a wrong login: they are offered it all the same.
"""

from __future__ import annotations

import secrets
import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rotator.core.model import Credential, Proof, Verdict
from rotator.http.client import Answer, Client, Limits, NoAnswerError
from rotator.http.connections import is_loopback
from rotator.registry.address import Access, host_of, is_ecr
from rotator.registry.login import Login, basic
from rotator.registry.token_service import get_token
from rotator.registry.verdict import OK, UNAUTHORIZED, Challenge, judged, unasked, usable
from rotator.system.cache import Cache
from rotator.system.each import note_answer
from rotator.system.input_file import refuse_special

if TYPE_CHECKING:
    from collections.abc import Iterable


class Trust:
    """The TLS settings for registries. `ca_file` is added to the system's authorities."""

    def __init__(self, ca_file: Path | None) -> None:
        self._ca_file = ca_file
        self._contexts: Cache[ssl.SSLContext] = Cache()

    def context(self, *, lax: bool) -> ssl.SSLContext:
        """Return whom to trust, read again where that changed: a daemon outlives certificates."""
        paths = ssl.get_default_verify_paths()
        files = [Path(each) for each in (paths.cafile, paths.capath, self._ca_file) if each]
        return self._contexts.get(lax, files, _anybody if lax else self._authorities)

    def _authorities(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._ca_file is not None:
            try:
                refuse_special(self._ca_file)
                context.load_verify_locations(self._ca_file)
            except OSError as error:
                raise NoAnswerError(
                    f"the CA file {self._ca_file} can't be used: {error.strerror}"
                ) from error
        return context


def _anybody() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class RegistryProver:
    """Proves credentials. Keeps nothing of a proof: no connection, no cookie, no token.

    `ca_file` is added to the system's trust. `insecure` are the registries (and token services,
    each `host[:port]`) that may be spoken to over plain HTTP or unverified TLS; loopback may.
    """

    def __init__(
        self,
        ca_file: Path | None = None,
        insecure: Iterable[str] = (),
        limits: Limits | None = None,
    ) -> None:
        self._access = Access(frozenset(name.lower() for name in insecure))
        self._trust = Trust(ca_file)
        self._limits = limits or Limits()
        self._refusing: set[str] = set()

    def prove(self, credential: Credential) -> Proof:
        """Return what the credential's registry says of it. Never raises for what a server does.

        `host/path` is proven at the host: registries check a login, not what it may read.
        """
        login = Login(credential)
        try:
            host = host_of(credential.registry)
            deadline = time.monotonic() + self._limits.overall
            with self._client(host, deadline) as client:
                return self._ask(client, host, login)
        except NoAnswerError as error:
            # It may name a host that a server made of what it was sent.
            return Proof(Verdict.UNKNOWN, login.without(error.detail))

    def _ask(self, client: Client, host: str, login: Login) -> Proof:
        address, answer = self._without_login(client, host)
        note_answer()
        if answer.status == OK and not answer.is_page:
            return self._offer(client, host, address, login)
        if answer.status != UNAUTHORIZED:
            raise unasked(answer)
        challenge = usable(answer.challenge, for_token=login.is_identity_token)
        if challenge is None:
            raise NoAnswerError("it asks for a login that is neither Basic nor Bearer")
        return self._meet(client, host, address, challenge, login)

    def _without_login(self, client: Client, host: str) -> tuple[str, Answer]:
        """Ask without a login; an insecure registry that speaks no TLS is asked in plain."""
        address = f"https://{host}/v2/"
        try:
            return address, client.get(address)
        except NoAnswerError as error:
            if not (error.mute and self._access.is_lax(host)):
                raise
        address = f"http://{host}/v2/"
        return address, client.get(address)

    def _meet(
        self, client: Client, host: str, address: str, challenge: Challenge, login: Login
    ) -> Proof:
        """Offer the login as the challenge wants it."""
        ecr = is_ecr(host, challenge.parameters)
        if challenge.scheme == "bearer":
            realm = self._access.realm(host, challenge.parameters.get("realm", ""))
            with self._client(realm.netloc, client.deadline) as service:
                token = get_token(service, realm, challenge.parameters, login, ecr=ecr)
            note_answer()
            if isinstance(token, Proof):
                return token
            authorization = f"Bearer {token}"
        elif login.is_identity_token:
            raise NoAnswerError("it takes no identity token: it asks for a user and a password")
        else:
            authorization = login.basic
        answer = client.get(address, authorization)
        return judged(answer, lambda: client.get(address), login, ecr=ecr)

    def _offer(self, client: Client, host: str, address: str, login: Login) -> Proof:
        """Offer the login to a registry that lets anybody in, and see whether that changes it.

        An answer that stays the same proves nothing, unless a login that was made up is refused.
        """
        if login.is_identity_token:
            raise NoAnswerError("it asks for no login, so it can't be shown an identity token")
        answer = client.get(address, login.basic)
        challenge = usable(answer.challenge, for_token=False)
        if answer.status == UNAUTHORIZED and challenge and challenge.scheme == "bearer":
            return self._meet(client, host, address, challenge, login)
        proof = judged(answer, lambda: client.get(address), login, ecr=is_ecr(host, {}))
        if proof.verdict is Verdict.ACCEPTED and host not in self._refusing:
            made_up = client.get(address, basic("rotator", secrets.token_urlsafe(24)))
            if made_up.status == OK:
                raise NoAnswerError("it lets anybody in: it answers 200 to any login")
            judged(made_up, lambda: client.get(address), login)
            self._refusing.add(host)
        return proof

    def _client(self, host: str, deadline: float) -> Client:
        trust = self._trust.context(lax=self._access.is_lax(host))
        return Client(trust, self._limits, deadline, direct=is_loopback(host))
