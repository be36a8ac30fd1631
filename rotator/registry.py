"""The proof: shows a credential to its registry and says what the registry thinks of it.

As `docker login` does it: `GET /v2/` without a credential brings the challenge, which says where
and how the credential is wanted. Rejected is a 401 after it was offered, or a 403 in the registry's
own words; a proxy, a firewall or a registry in trouble must never make a good credential look bad,
so everything else is unknown.

The challenge: https://distribution.github.io/distribution/spec/auth/token/
The error document: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
"""

from __future__ import annotations

import base64
import ipaddress
import re
import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from rotator.core.docker_config import DOCKER_HUB
from rotator.core.model import Credential, Proof, Verdict
from rotator.http.client import Answer, BoundedHttp, Limits, NoAnswerError
from rotator.http.reading import json_in
from rotator.system.kept import Kept

if TYPE_CHECKING:
    from collections.abc import Iterable

# Docker Hub's key in `auths` is historical; its registry answers elsewhere.
_HUB_HOST = "registry-1.docker.io"
_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_MOST_CHALLENGES = 8

# A scheme, or a parameter: a word, and where it is a parameter, "=" and its value.
_WORD = re.compile(r"""([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:\s?=\s?("(?:[^"\\]|\\.)*"|[^\s,"]*))?""")


class Challenge(NamedTuple):
    """One way in that a registry offers: `basic` or `bearer`, and its parameters."""

    scheme: str
    parameters: dict[str, str]


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
        self._ca_file = ca_file
        self._insecure = frozenset(name.lower() for name in insecure)
        self._limits = limits or Limits()
        self._trusted: Kept[ssl.SSLContext] = Kept()

    def prove(self, credential: Credential) -> Proof:
        """Return what the credential's registry says of it. Never raises for what a server does.

        `host/path` is proven at the host: registries check a login, not what it may read.
        """
        try:
            host = _host(credential.registry)
            deadline = time.monotonic() + self._limits.overall
            with self._http(host, deadline) as http:
                return self._ask(http, host, credential)
        except NoAnswerError as error:
            return Proof(Verdict.UNKNOWN, error.detail)

    def _ask(self, http: BoundedHttp, host: str, credential: Credential) -> Proof:
        address, answer = self._challenged(http, host)
        if answer.status != 401:  # noqa: PLR2004  as the specification writes it
            raise NoAnswerError(f"it asks for no login: it answers {answer.status} without one")
        for scheme, parameters in challenges(answer.challenge):
            if scheme == "basic":
                return _judged(http.get(address, _basic(credential)))
            if scheme == "bearer":
                realm = self._realm(host, parameters.get("realm", ""))
                return self._by_token(http, address, realm, parameters, credential)
        raise NoAnswerError("it asks for a login that is neither Basic nor Bearer")

    def _challenged(self, http: BoundedHttp, host: str) -> tuple[str, Answer]:
        """Ask without a credential; an insecure registry that speaks no TLS is asked in plain."""
        address = f"https://{host}/v2/"
        try:
            return address, http.get(address)
        except NoAnswerError as error:
            if not (error.mute and self._is_lax(host)):
                raise
        address = f"http://{host}/v2/"
        return address, http.get(address)

    def _by_token(
        self,
        http: BoundedHttp,
        address: str,
        realm: SplitResult,
        parameters: dict[str, str],
        credential: Credential,
    ) -> Proof:
        asked = {name: parameters[name] for name in ("service", "scope") if name in parameters}
        query = [*parse_qsl(realm.query), *asked.items(), ("account", credential.username)]
        url = realm._replace(query=urlencode(query, errors="replace")).geturl()
        with self._http(realm.netloc, http.deadline) as service:
            answer = service.get(url, _basic(credential))
        given = _judged(answer)
        if given.verdict is not Verdict.ACCEPTED:
            return Proof(given.verdict, f"its token service {realm.netloc}: {given.detail}")
        token = _token(answer.body)
        if token is None:
            raise NoAnswerError(f"its token service {realm.netloc} gives no token")
        return _judged(http.get(address, f"Bearer {token}"))

    def _realm(self, host: str, realm: str) -> SplitResult:
        """Return the token service's address if the credential may go there.

        A registry names it over verified TLS, so it must be https too. What an insecure registry
        says may have been written by anybody: its realm is itself, or is listed as insecure.
        """
        url = _plain_url(realm)
        if url is None:
            raise NoAnswerError("its challenge names no usable realm")
        if _is_local(url.netloc):
            allowed = _is_local(host)
        elif url.netloc in self._insecure:
            allowed = True
        elif self._is_lax(host):
            allowed = url.scheme == "https" and url.hostname == urlsplit(f"//{host}").hostname
        else:
            allowed = url.scheme == "https"
        if not allowed:
            raise NoAnswerError(
                f"it wants the login sent to {url.scheme}://{url.netloc}, which is not safe "
                f"(registry_access.insecure would allow it)"
            )
        return url

    def _is_lax(self, host: str) -> bool:
        return host in self._insecure or _is_local(host)

    def _http(self, host: str, deadline: float) -> BoundedHttp:
        trust = self._trust(lax=self._is_lax(host))
        return BoundedHttp(trust, self._limits, deadline, direct=_is_local(host))

    def _trust(self, *, lax: bool) -> ssl.SSLContext:
        """Return whom to trust, read anew where that changed: a daemon outlives certificates."""
        paths = ssl.get_default_verify_paths()
        files = [Path(each) for each in (paths.cafile, paths.capath, self._ca_file) if each]
        return self._trusted.get(lax, files, _trust_anybody if lax else self._trust_authorities)

    def _trust_authorities(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._ca_file is not None:
            try:
                context.load_verify_locations(self._ca_file)
            except OSError as error:
                raise NoAnswerError(
                    f"the CA file {self._ca_file} can't be used: {error.strerror}"
                ) from error
        return context


def _trust_anybody() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def challenges(header: str) -> list[Challenge]:
    """Return the challenges of a `WWW-Authenticate` header in their order.

    What is no challenge is skipped. Several may stand in one header, separated by commas like
    their parameters; of a parameter that is there twice the first counts
    (https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1).
    """
    found: list[Challenge] = []
    for word in _WORD.finditer(header):
        name, value = word[1].lower(), word[2]
        if value is None:
            if len(found) == _MOST_CHALLENGES:
                break
            found.append(Challenge(name, {}))
        elif found:
            quoted = value[:1] == '"'
            text = re.sub(r"\\(.)", r"\1", value[1:-1]) if quoted else value
            found[-1].parameters.setdefault(name, text)
    return found


def _judged(answer: Answer) -> Proof:
    """Return what an answer to an offered credential means."""
    match answer.status:
        case 200:
            return Proof(Verdict.ACCEPTED)
        case 401:
            return Proof(Verdict.REJECTED, "it answers 401: this login is wrong or has expired")
        case 403 if (message := _registry_error(answer.body)) is not None:
            why = "has expired" if "expired" in message else "is denied"
            return Proof(Verdict.REJECTED, f"it answers 403: this login {why}")
        case 403:
            return Proof(Verdict.UNKNOWN, "403 that is not a registry's: a proxy or firewall?")
        case status:
            return Proof(Verdict.UNKNOWN, f"it answers {status}")


def _registry_error(body: bytes) -> str | None:
    """Return the first message of a registry's error document; None if the body is none."""
    match json_in(body):
        case {"errors": [{"code": str(), "message": str(message)}, *_]}:
            return message.lower()
        case {"errors": [{"code": str()}, *_]}:
            return ""
    return None


def _token(body: bytes) -> str | None:
    match json_in(body):
        case {"token": str(token)} | {"access_token": str(token)} if re.fullmatch(r"[!-~]+", token):
            return token
    return None


def _basic(credential: Credential) -> str:
    login = f"{credential.username}:{credential.password.reveal()}"
    return "Basic " + base64.b64encode(login.encode(errors="surrogatepass")).decode()


def _host(registry: str) -> str:
    host = _HUB_HOST if registry == DOCKER_HUB else registry.partition("/")[0]
    if _HOST.fullmatch(host) is None or _plain_url(f"https://{host}") is None:
        raise NoAnswerError("its name is not a host's")
    return host


def _plain_url(text: str) -> SplitResult | None:
    """Return the URL if it is absolute, HTTP, and nothing but a host, path and query."""
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError:
        return None
    url = url._replace(netloc=url.netloc.lower(), fragment="")
    return url if url.scheme in ("http", "https") and _HOST.fullmatch(url.netloc) else None


def _is_local(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
