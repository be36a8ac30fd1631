"""What `check` says of a Vault: the server, what the login may do, and the secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.vault_door import Answer, VaultDoor
from tests.servers.openbao import OpenBao, sealed
from tests.support import free_port
from tests.unit.checks.described import levels, login_file, look, rotation, the
from tests.unit.vault.inspect.rig import HTML, JSON, Rig

if TYPE_CHECKING:
    from pathlib import Path


def test_all_is_well(rig: Rig) -> None:
    """Server, token, policy, secret and registry are told one by one; the token is not renewed."""
    before = rig.server.api("GET", "auth/token/lookup-self", token=rig.file.read_text())
    reported = "\n".join(levels(rig.look()))
    for words in ("answers and is unsealed", "the token works", "can be read (kv2)", "accepts"):
        assert words in reported
    assert "warning" not in reported
    after = rig.server.api("GET", "auth/token/lookup-self", token=rig.file.read_text())
    assert before["data"]["expire_time"] == after["data"]["expire_time"]


def test_sealed(rig: Rig) -> None:
    """A sealed server is the one thing told, with the command."""
    with sealed(rig.server):
        (found,) = rig.look()
    assert (found.level, found.todo) == ("failure", "unseal the server: vault operator unseal")


@pytest.mark.parametrize(
    ("rude", "words"),
    [
        (Answer(501, '{"initialized":false}', JSON), "is not initialized"),
        (Answer(503, "<html>no backend</html>", HTML), "503"),
        (Answer(200, "<html>log in here</html>", HTML), "the answer is not Vault's"),
    ],
    ids=["new server", "proxy", "login page"],
)
def test_something_else_there(rig: Rig, rude: Answer, words: str) -> None:
    """A server without a start, and what is no Vault at all."""
    with VaultDoor(rig.server.url) as door:
        door.rude["sys/health"] = rude
        rig.settings["address"] = door.url
        assert the(rig.look(), "failure", words).todo


def test_login_that_may_ask_nothing(rig: Rig) -> None:
    """Without sys/capabilities-self the read itself tells what the policy allows."""
    with VaultDoor(rig.server.url) as door:
        door.rude["capabilities-self"] = Answer(403, '{"errors":["permission denied"]}', JSON)
        rig.settings["address"] = door.url
        the(rig.look(), "ok", "can be read (kv2)")


def test_nobody_there(rig: Rig) -> None:
    """A refused connection is told in the driver's own words."""
    rig.settings["address"] = f"http://127.0.0.1:{free_port()}"
    (found,) = rig.look()
    assert (found.level, "Connection refused" in found.found) == ("failure", True)
    assert "`address`" in found.todo


def test_policy_is_missing(rig: Rig) -> None:
    """A path that the policy does not allow: the very line to add."""
    rig.give(
        rig.server.token(rig.server.policy('path "secret/data/other" { capabilities = ["read"] }'))
    )
    found = the(rig.look(), "failure", "may not read")
    assert f'path "{rig.settings["path"].replace("secret/", "secret/data/")}"' in found.todo


def test_secret_is_missing(rig: Rig) -> None:
    """What the driver says of a missing secret is passed on."""
    rig.server.api("DELETE", rig.settings["path"].replace("secret/", "secret/data/"))
    assert "vault kv undelete" in the(rig.look(), "failure", "was deleted").todo


@pytest.mark.parametrize("may_write", [True, False], ids=["may write", "may only read"])
def test_kv_target(tmp_path: Path, openbao: OpenBao, kv_secret: str, *, may_write: bool) -> None:
    """A target in KV needs to read and to write; nothing is written to find that out."""
    path = f"secret/data/{kv_secret}"
    able = '["read", "create", "update"]' if may_write else '["read"]'
    policy = openbao.policy(f'path "{path}" {{ capabilities = {able} }}')
    (tmp_path / "token").write_text(openbao.token(policy))
    target = {
        "type": "vault_kv",
        "name": "hub",
        "address": openbao.url,
        "auth": {"method": "token", "token_file": str(tmp_path / "token")},
        "path": f"secret/{kv_secret}",
        "keep_versions": 3,
    }
    found = look(tmp_path, rotation([login_file(tmp_path)], [target]))
    hub = [finding for finding in found if finding.about == "hub"]
    if may_write:
        the(hub, "ok", "can be read and written")
        the(hub, "ok", "nothing is published in it yet")
        the(hub, "warning", "old versions are not destroyed")
    else:
        assert '"create", "update"' in the(hub, "failure", "may not write").todo
    assert openbao.api("GET", path)["data"]["metadata"]["version"] == 1
