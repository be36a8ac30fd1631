"""Requests to an API server: JSON over connections that stay open, bounded in time and in size.

No Kubernetes client is below it: lightkube ignores `as`, `proxy-url`, `tls-server-name` and
`provideClusterInfo` of a kubeconfig in silence, the official client takes three times as long to
load, and six kinds of requests are all that is asked here.
"""

from __future__ import annotations

import json
import os
import ssl
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import requests
from requests.utils import get_environ_proxies
from urllib3 import HTTPHeaderDict

from rotator.core.errors import Reason
from rotator.http.connections import is_loopback
from rotator.http.reading import json_in
from rotator.http.session import BoundedAdapter
from rotator.kubernetes.kubeconfig import KubeconfigError
from rotator.system.each import AT_ONCE, note_answer
from rotator.system.input_file import refuse_special

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rotator.core.model import Secret
    from rotator.kubernetes.kubeconfig import Cluster, Selected
    from rotator.kubernetes.login import Login

_JSON = "application/json"
_SUCCESS = range(200, 300)


class RefusedError(Exception):
    """The answer is no success. It has no text, as an answer may quote a whole object."""

    def __init__(self, method: str, response: requests.Response) -> None:
        super().__init__()
        self.method = method
        self.status = response.status_code
        self.headers = response.headers
        body = json_in(response.content)
        self.body: Mapping[str, Any] = body if isinstance(body, dict) else {}
        self.text = response.content[:500].decode(errors="replace")


class NoObjectError(Exception):
    """The answer is a success, and no object of the kind that was asked."""


class Connection:
    """Talks to one API server with one login."""

    def __init__(self, selected: Selected, login: Login, *, connect: float, read: float) -> None:
        cluster = selected.cluster
        self.server = cluster.server.rstrip("/")
        self.login = login
        self._timeout = (connect, read)
        trust = _trust(cluster)
        _show(trust, login)  # without TLS too, so that a broken certificate is reported
        self._adapter = BoundedAdapter(
            2 * read, trust=trust, name=cluster.tls_server_name, pool_maxsize=AT_ONCE
        )
        self._proxies = _proxies(cluster)
        # One name can stand for several values (`Impersonate-Group`).
        self._headers = HTTPHeaderDict({"User-Agent": "rotator"})
        if login.authorization is not None:
            self._headers.add("Authorization", login.authorization.reveal())
        for name, value in selected.user.headers():
            self._headers.add(name, value)

    def __del__(self) -> None:
        """Close the connections when nobody holds this any more."""
        if adapter := getattr(self, "_adapter", None):
            adapter.close()

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        kind: str = _JSON,
        accept: str = _JSON,
        **query: str,
    ) -> dict[str, Any]:
        """Return the object that a quoted path gives; raise `RefusedError` or `NoObjectError`."""
        url = f"{self.server}{path}{'?' if query else ''}{urlencode(query)}"
        request = requests.Request(method, url).prepare()
        headers = self._headers.copy()
        headers["Accept"] = accept
        if body is not None:
            # An unpaired surrogate can't be written in UTF-8; as an escape it can.
            request.body = json.dumps(body).encode()
            headers["Content-Type"] = kind
            headers["Content-Length"] = str(len(request.body))
        # urllib3 takes it, and sends a name as often as it has values.
        request.headers = headers  # type: ignore[assignment]
        response = self._adapter.send(request, timeout=self._timeout, proxies=self._proxies)
        note_answer()
        if response.status_code not in _SUCCESS:
            raise RefusedError(method, response)
        found = json_in(response.content)
        if not isinstance(found, dict):
            raise NoObjectError
        return found


def _proxies(cluster: Cluster) -> dict[str, str]:
    """Return the proxy by scheme: the kubeconfig's, else the environment's."""
    if cluster.proxy_url:
        return {urlsplit(cluster.server).scheme: cluster.proxy_url}
    # As kubectl: a server on this machine is never asked through the environment's proxy.
    return {} if is_loopback(cluster.server) else dict(get_environ_proxies(cluster.server))


def _trust(cluster: Cluster) -> ssl.SSLContext:
    """Return the TLS context of a cluster; raise `KubeconfigError` for a useless certificate."""
    if not cluster.server.startswith("https:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    pem, file = cluster.certificate_authority_data, cluster.certificate_authority
    data = pem.decode(errors="replace") if pem else None
    named = f"`certificate-authority` {file}"
    try:
        refuse_special(None if pem else file)
        context = ssl.create_default_context(cafile=None if pem else file, cadata=data)
    except (ssl.SSLError, ValueError):
        what = "`certificate-authority-data`" if data else named
        raise KubeconfigError(f"its {what} holds no certificate") from None
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        why = "does not exist" if missing else f"is unreadable: {error.strerror}"
        raise KubeconfigError(f"its {named} {why}", Reason.UNREADABLE) from None
    # From Python 3.13 on: many clusters' authorities lack an extension that it asks for, and
    # neither kubectl nor the server does.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if cluster.insecure_skip_tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _show(context: ssl.SSLContext, login: Login) -> None:
    """Let the context show the login's client certificate."""
    if login.certificate is None or login.key is None:
        return
    try:
        with _named(login.certificate) as certificate, _named(login.key) as key:
            # A key that is encrypted would have OpenSSL ask on the terminal.
            context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError:
        raise KubeconfigError(
            "its client certificate and key are no PEM, or don't belong together"
        ) from None
    except OSError as error:
        names = [str(one) for one in (login.certificate, login.key) if isinstance(one, Path)]
        missing = [name for name in names if not os.access(name, os.R_OK)]
        raise KubeconfigError(
            f"its client certificate or key {' '.join(missing or names)} is unreadable: "
            f"{error.strerror}",
            Reason.UNREADABLE,
        ) from None


@contextmanager
def _named(pem: Path | bytes | Secret) -> Iterator[str]:
    """Give a certificate or key by a name: its own, or one that leads to memory, not to a disk."""
    if isinstance(pem, Path):
        refuse_special(pem)
        yield str(pem)
        return
    with open(os.memfd_create("rotator"), "wb") as file:  # noqa: PTH123  it has no path
        file.write(pem if isinstance(pem, bytes) else pem.reveal().encode())
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"
