"""A credential as it is shown to a registry, or to the token service that a Bearer challenge names.

https://distribution.github.io/distribution/spec/auth/token/
https://distribution.github.io/distribution/spec/auth/oauth/
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, urlencode

from rotator.core.docker_entry import IDENTITY_TOKEN
from rotator.core.model import Credential, Proof, Verdict
from rotator.http.client import NoAnswerError
from rotator.http.reading import json_in
from rotator.http.server_text import shown
from rotator.registry.verdict import BAD_REQUEST, NOT_FOUND, judged

if TYPE_CHECKING:
    from rotator.http.client import Answer, Client

_MOST_SHOWN = 160
_NO_POST = (NOT_FOUND, 405)

# Errors of OAuth that are about the token: https://www.rfc-editor.org/rfc/rfc6749#section-5.2
_BAD_TOKEN = frozenset({"invalid_grant", "access_denied"})


class Login:
    """A user name with a password, or an identity token in the password's place."""

    def __init__(self, credential: Credential) -> None:
        self.username = credential.username
        self._password = credential.password
        self.is_identity_token = credential.username == IDENTITY_TOKEN

    @property
    def basic(self) -> str:
        """The `Authorization` header of the user name and the password."""
        return basic(self.username, self._password.reveal())

    def form(self, parameters: dict[str, str]) -> dict[str, str]:
        """Return what a token service takes for an identity token."""
        return {
            "grant_type": "refresh_token",
            "client_id": "rotator",
            "refresh_token": self._password.reveal(),
            **parameters,
        }

    def without(self, text: str) -> str:
        """Return a sentence of ours without the password, which a server's name may hold."""
        for secret in self._secrets():
            text = re.sub(re.escape(secret), "***", text, flags=re.IGNORECASE)
        return text

    def quoted(self, text: str) -> str:
        """Return a server's sentence fit to be shown, without this login or a piece of it."""
        if self.username:
            text = re.sub(rf"(?<!\w){re.escape(self.username)}(?!\w)", "***", text)
        return shown(text, self._secrets())[:_MOST_SHOWN]

    def _secrets(self) -> list[str]:
        return [text for text in (self._password.reveal(), self.basic.partition(" ")[2]) if text]


def basic(username: str, password: str) -> str:
    """Return an `Authorization` header."""
    login = f"{username}:{password}".encode(errors="surrogatepass")
    return f"Basic {base64.b64encode(login).decode()}"


def get_token(
    client: Client, realm: SplitResult, parameters: dict[str, str], login: Login, *, ecr: bool
) -> str | Proof:
    """Return a token, or what a refusal says of the login; raise `NoAnswerError`."""
    try:
        proof, body = _ask(client, realm, parameters, login, ecr=ecr)
    except NoAnswerError as error:
        raise NoAnswerError(f"its token service {realm.netloc}: {error.detail}") from None
    if proof.verdict is not Verdict.ACCEPTED:
        where = login.without(realm.netloc)
        return Proof(proof.verdict, f"its token service {where}: {proof.detail}")
    match json_in(body):
        case {"token": str(token)} | {"access_token": str(token)} if re.fullmatch(r"[!-~]+", token):
            return token
    raise NoAnswerError(f"its token service {realm.netloc} gives no token")


def _ask(
    client: Client, realm: SplitResult, parameters: dict[str, str], login: Login, *, ecr: bool
) -> tuple[Proof, bytes]:
    """Return what the token service says of the login, and the body in which it says it."""
    asked = {key: value for key, value in parameters.items() if key in ("service", "scope")}
    if login.is_identity_token:
        answer = client.post(realm.geturl(), login.form(asked))
        refused = _refused_form(answer)
        if refused is not None:
            return refused, answer.body
    else:
        answer = client.get(_url(realm, {**asked, "account": login.username}), login.basic)
    return judged(answer, lambda: client.get(_url(realm, asked)), login, ecr=ecr), answer.body


def _refused_form(answer: Answer) -> Proof | None:
    """Return what OAuth alone says; None where the answer is like any other."""
    if answer.status in _NO_POST:
        raise NoAnswerError(f"it takes no identity tokens: it answers {answer.status}")
    if answer.status != BAD_REQUEST:
        return None
    match json_in(answer.body):
        case {"error": str(code)} if code in _BAD_TOKEN:
            return Proof(
                Verdict.REJECTED, f"it answers 400: this identity token is refused ({code})"
            )
    raise NoAnswerError("it answers 400: it does not understand the request")


def _url(realm: SplitResult, query: dict[str, str]) -> str:
    pairs = [*parse_qsl(realm.query), *query.items()]
    return realm._replace(query=urlencode(pairs, errors="replace")).geturl()
