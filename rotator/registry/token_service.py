"""The token service that a Bearer challenge names: what it gives, or says of a login.

https://distribution.github.io/distribution/spec/auth/token/
https://distribution.github.io/distribution/spec/auth/oauth/
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, urlencode

from rotator.core.model import Proof, Verdict
from rotator.http.client import NoAnswerError
from rotator.http.reading import json_in
from rotator.registry.verdict import BAD_REQUEST, NOT_FOUND, judged

if TYPE_CHECKING:
    from rotator.http.client import Answer, Client
    from rotator.registry.login import Login

_NO_POST = (NOT_FOUND, 405)

# Errors of OAuth that are about the token: https://www.rfc-editor.org/rfc/rfc6749#section-5.2
_BAD_TOKEN = frozenset({"invalid_grant", "access_denied"})


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
