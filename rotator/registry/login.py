"""A credential as it is shown to a registry, and a sentence without it."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from rotator.core.docker_entry import IDENTITY_TOKEN
from rotator.http.server_text import shown

if TYPE_CHECKING:
    from rotator.core.model import Credential

_MOST_SHOWN = 160


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
