"""What a registry's answer to an offered login means.

Rejected is what the registry itself refuses: with a 401, with its own error document, or with an
answer that is worse than the one without a login. A proxy, a firewall, a login page or a registry
in trouble must never make a good credential look bad, so everything else is unknown.

The error document: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
`WWW-Authenticate`: https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from rotator.core.model import Proof, Verdict
from rotator.http.client import NoAnswerError
from rotator.http.reading import json_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from rotator.http.client import Answer
    from rotator.registry.login import Login

OK, BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 200, 400, 401, 403, 404
_PROXY, _THROTTLED, _SERVER_ERROR = 407, 429, 500

# Codes of a registry's error document that are about the registry and not about the login.
_TROUBLE = frozenset({"TOOMANYREQUESTS", "UNAVAILABLE", "UNKNOWN"})

_MOST_CHALLENGES = 8

# A scheme, or a parameter: a name, and where it is a parameter, "=" and its value.
_PART = re.compile(r"""([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:\s?=\s?("(?:[^"\\]|\\.)*"|[^\s,"]*))?""")


class Challenge(NamedTuple):
    """One way in that a registry offers: `basic` or `bearer`, and its parameters."""

    scheme: str
    parameters: dict[str, str]


def challenges(header: str) -> list[Challenge]:
    """Return the challenges of a `WWW-Authenticate` header in their order.

    Other text is skipped. Several challenges may stand in one header, separated by commas like
    their parameters; of a parameter that is there twice the first counts.
    """
    found: list[Challenge] = []
    for part in _PART.finditer(header):
        name, value = part[1].lower(), part[2]
        if value is None:
            if len(found) == _MOST_CHALLENGES:
                break
            found.append(Challenge(name, {}))
        elif found:
            quoted = value[:1] == '"'
            text = re.sub(r"\\(.)", r"\1", value[1:-1]) if quoted else value
            found[-1].parameters.setdefault(name, text)
    return found


def usable(header: str, *, for_token: bool) -> Challenge | None:
    """Return the first challenge that a login can meet, `for_token` an identity token.

    Where no challenge is made for that, it is the first that any docker login can meet.
    """
    found = [one for one in challenges(header) if one.scheme in ("basic", "bearer")]
    bearer = [one for one in found if one.scheme == "bearer"]
    return next(iter((for_token and bearer) or found), None)


def judged(
    answer: Answer, without_login: Callable[[], Answer], login: Login, *, ecr: bool = False
) -> Proof:
    """Return what the answer to a login says of it.

    `without_login` asks the same without one. `ecr`: the answer is Amazon's, which says 400 to a
    token that is malformed or of another region.
    """
    status = answer.status
    if status == UNAUTHORIZED and _is_too_narrow(answer):
        raise NoAnswerError("it answers 401: it wants a token for more than a login")
    if status == UNAUTHORIZED:
        return _rejected(answer, login, "this login is wrong or has expired")
    if answer.is_page:
        raise NoAnswerError(f"it answers {status} with a web page: a proxy or a login form?")
    if status == OK:
        return Proof(Verdict.ACCEPTED)
    if status in (BAD_REQUEST, FORBIDDEN, NOT_FOUND):
        return _refused(answer, without_login, login, ecr=ecr)
    raise NoAnswerError(_no_verdict(status))


def unasked(answer: Answer) -> NoAnswerError:
    """Return why nothing is known where no login was asked for."""
    if answer.is_page:
        why = f"it answers {answer.status} with a web page: a proxy or a login form?"
        return NoAnswerError(f"it is no registry: {why}")
    if answer.status in (_PROXY, _THROTTLED) or answer.status >= _SERVER_ERROR:
        return NoAnswerError(_no_verdict(answer.status))
    return NoAnswerError(f"it asks for no login: it answers {answer.status} without one")


def _refused(
    answer: Answer, without_login: Callable[[], Answer], login: Login, *, ecr: bool
) -> Proof:
    status = answer.status
    code, message = registry_error(answer.body)
    if status == FORBIDDEN and code and code not in _TROUBLE:
        expired = "expired" in message.lower()
        return _rejected(answer, login, "this login has expired" if expired else "it is denied")
    if not answer.whole or code in _TROUBLE:
        raise NoAnswerError(f"it answers {status}, which says nothing of this login")
    plain = without_login()
    asks = plain.status in (OK, UNAUTHORIZED) and not plain.is_page
    if asks and (status != BAD_REQUEST or ecr or plain.status == OK):
        return _rejected(answer, login, f"it answers {plain.status} without this login")
    raise NoAnswerError(
        f"it answers {status}, with this login and without: a proxy or firewall?"
        if plain.status == status
        else f"it answers {status}, which says nothing of this login"
    )


def registry_error(body: bytes) -> tuple[str, str]:
    """Return code and message of the first error in a registry's document; empty where none is."""
    match json_in(body):
        case {"errors": [{"code": str(code), **more}, *_]}:
            message = more.get("message")
            return code, message if isinstance(message, str) else ""
    return "", ""


def message_in(body: bytes) -> str:
    """Return the sentence in an answer, as registries and token services write it."""
    match json_in(body):
        case {"errors": [{"message": str(text)}, *_]}:
            return text
        case {"error_description": str(text)} | {"message": str(text)} | {"details": str(text)}:
            return text
        case {"errors": [{"code": str(text)}, *_]} | {"error": str(text)}:
            return text
        case None:
            return body.decode("utf-8", "replace")
    return ""


def _rejected(answer: Answer, login: Login, why: str) -> Proof:
    said = "" if answer.is_page else login.quoted(message_in(answer.body))
    return Proof(
        Verdict.REJECTED, f"it answers {answer.status}: {why}{f' ({said})' if said else ''}"
    )


def _is_too_narrow(answer: Answer) -> bool:
    """Tell whether a token was understood, and does not allow what was asked for."""
    return any(
        one.parameters.get("error") == "insufficient_scope" for one in challenges(answer.challenge)
    )


def _no_verdict(status: int) -> str:
    if status == _THROTTLED:
        return "it answers 429: too many requests"
    if status == _PROXY:
        return "a proxy answers 407: it wants a login of its own"
    if status >= _SERVER_ERROR:
        return f"it answers {status}: it is in trouble"
    return f"it answers {status}"
