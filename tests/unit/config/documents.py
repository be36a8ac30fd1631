"""Small documents for the tests: one rotation whose interesting part stands in a known line."""

from __future__ import annotations

FILE = "{type: file, path: /f}"
ECR = "{type: ecr, region: eu-west-1, accounts: [111111111111]}"
VAULT = "type: vault, address: https://v, auth: {method: cert}, client_cert_file: c, path: s/x"
CERT = VAULT + ", registry: h.io"
GITLAB = "type: gitlab_variable, url: https://g, token_file: t"
GROUP = GITLAB + ", group: g"
KV = "type: vault_kv, address: https://v, auth: {method: aws}, path: s/x"
HOST = "111111111111.dkr.ecr.eu-west-1.amazonaws.com"


def rotation(
    *,
    name: str = "r",
    more: str = "",
    sources: tuple[str, ...] = (ECR,),
    targets: tuple[str, ...] = (FILE,),
) -> str:
    """Return a rotation; `more` are its own keys, in the first line after its name."""
    lines = [f"- name: {name}", f"  {more}", "  sources:"]
    lines += [f"  - {source}" for source in sources]
    lines += ["  targets:", *(f"  - {target}" for target in targets)]
    return "\n".join(lines) + "\n"


def document(*, root: str = "", **parts: str | tuple[str, ...]) -> str:
    """Return a document: `root` in line 2, `more` in 5, the first source in 7."""
    return f"version: 1\n{root}\nrotations:\n" + rotation(**parts)  # type: ignore[arg-type]


def with_source(source: str) -> str:
    """Return a document with this source in line 7, its mapping in column 5."""
    return document(sources=(source,))


def with_target(target: str) -> str:
    """Return a document with this target in line 9, its mapping in column 5."""
    return document(targets=(target,))


def login(auth: str) -> str:
    """Return a document with this Vault login in line 7, its mapping in column 45."""
    return with_source(
        f"{{type: vault, address: https://v, auth: {{{auth}}}, path: s/x, registry: h.io}}"
    )


LOGIN = with_source(
    "{type: vault, address: https://v/, auth: {method: approle, role_id: x, secret_id_file: FILE},"
    " path: s/x, registry: docker.io}"
)
"""A document in which FILE stands where a secret's file is named."""
