"""What only the `vault_kv` target does, against a real OpenBao."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rotator.config.targets import VaultKvTargetSettings
from rotator.core.errors import ConflictError, GoneError, PermanentError, Reason
from rotator.core.model import Mark, Policy, Secret
from rotator.targets.vault_kv import VaultKvTarget, build
from tests.integration.vault_tools import SetClock, token_login, vault_source
from tests.servers.openbao import OpenBao, unique
from tests.support import made

if TYPE_CHECKING:
    from pathlib import Path

END = SetClock()().replace(microsecond=0)
MARK = Mark({"one.example.com": END}, "hmac:0123456789ab", "hub")
TEXT = Secret('{"auths":{"one.example.com":{"auth":"Y2k6czNjcjN0LW9uZQ=="}}}')


@pytest.fixture
def auth(openbao: OpenBao, tmp_path: Path) -> dict[str, str]:
    """Return a login that may do everything."""
    return token_login(tmp_path, openbao.root)


def make(server: OpenBao, auth: dict[str, str], path: str, **settings: Any) -> VaultKvTarget:
    """Return the target as the configuration would describe it."""
    fields = {"name": "hub", "address": server.url, "auth": auth, "path": path, **settings}
    return build(made(VaultKvTargetSettings, **fields), Policy(), SetClock())


@pytest.mark.parametrize("version", [1, 2])
def test_other_fields_stay(openbao: OpenBao, auth: dict[str, str], version: int) -> None:
    """Other fields of the same secret are kept, in both versions of KV."""
    mount = openbao.enable_kv(version)
    path = f"{mount}/data/hub" if version == 2 else f"{mount}/hub"
    openbao.put(path, {"note": "of a person", "count": 3})
    target = make(openbao, auth, f"{mount}/hub")
    held = target.read()
    assert (held.text, held.mark) == (None, None)
    assert target.compares == (version == 2)
    target.write(TEXT, MARK, held)
    data = openbao.api("GET", path)["data"]
    fields = data["data"] if version == 2 else data
    assert (fields["note"], fields["count"]) == ("of a person", 3)
    assert fields["config.json"] == TEXT.reveal()
    read = make(openbao, auth, f"{mount}/hub").read()
    assert (read.text, read.mark) == (TEXT, MARK)


def test_write_on_an_old_version(openbao: OpenBao, auth: dict[str, str]) -> None:
    """A write upon a version that is no longer the newest changes nothing."""
    name = unique("hub")
    target = make(openbao, auth, f"secret/{name}")
    held = target.read()
    openbao.put(f"secret/data/{name}", {"config.json": "of somebody else"})
    with pytest.raises(ConflictError):
        target.write(TEXT, MARK, held)
    assert target.read().text == Secret("of somebody else")


def test_a_field_that_is_no_text(openbao: OpenBao, auth: dict[str, str]) -> None:
    """Whoever put a number there is told how to take it out; hosts read no document there."""
    name = unique("hub")
    openbao.put(f"secret/data/{name}", {"config.json": 3})
    with pytest.raises(GoneError, match="not text") as caught:
        make(openbao, auth, f"secret/{name}").read()
    assert caught.value.reason is Reason.MALFORMED
    assert f"vault kv patch secret/{name} config.json='{{}}'" in caught.value.hint


@pytest.mark.parametrize("how", ["deleted", "destroyed", "all gone"])
def test_heals(openbao: OpenBao, auth: dict[str, str], how: str) -> None:
    """A secret that was taken away reads as nothing, and is written again."""
    name = unique("hub")
    target = make(openbao, auth, f"secret/{name}")
    target.write(TEXT, MARK, target.read())
    if how == "deleted":
        openbao.api("DELETE", f"secret/data/{name}")
    elif how == "destroyed":
        openbao.api("PUT", f"secret/destroy/{name}", {"versions": [1]})
    else:
        openbao.api("DELETE", f"secret/metadata/{name}")
    held = target.read()
    assert held.text is None
    target.write(TEXT, MARK, held)
    assert target.read().text == TEXT


def test_keep_versions(openbao: OpenBao, auth: dict[str, str]) -> None:
    """Versions older than those that are kept are destroyed after a write."""
    name = unique("hub")
    held = make(openbao, auth, f"secret/{name}").read()
    for count in range(4):
        target = make(openbao, auth, f"secret/{name}", keep_versions=2)
        held = target.write(Secret(f'{{"auths":{{}},"n":{count}}}'), MARK, held)
        assert held.notes == ()
    versions = openbao.api("GET", f"secret/metadata/{name}")["data"]["versions"]
    assert [versions[number]["destroyed"] for number in "1234"] == [True, True, False, False]


def test_keep_versions_not_allowed(openbao: OpenBao, tmp_path: Path) -> None:
    """Where old versions may not be destroyed, the write counts and a note says which line."""
    name = unique("hub")
    policy = openbao.policy(
        f'path "secret/data/{name}" {{ capabilities = ["create", "read", "update"] }}'
    )
    auth = token_login(tmp_path, openbao.token(policy))
    target = make(openbao, auth, f"secret/{name}", keep_versions=1)
    held = target.write(TEXT, MARK, target.write(TEXT, MARK, target.read()))
    (note,) = held.notes
    assert f'path "secret/metadata/{name}"' in note
    assert target.read().text == TEXT


def test_field_that_is_no_text(openbao: OpenBao, auth: dict[str, str]) -> None:
    """A field that holds a structure is not overwritten: a person has to say what it is."""
    name = unique("hub")
    openbao.put(f"secret/data/{name}", {"config.json": {"auths": {}}})
    with pytest.raises(PermanentError) as caught:
        make(openbao, auth, f"secret/{name}").read()
    assert caught.value.reason is Reason.MALFORMED


def test_no_kv_engine(openbao: OpenBao, auth: dict[str, str]) -> None:
    """A path in another engine is refused with the command that shows the engines."""
    mount = openbao.enable_engine("transit")
    with pytest.raises(PermanentError) as caught:
        make(openbao, auth, f"{mount}/hub").read()
    assert caught.value.reason is Reason.INVALID
    assert "vault secrets list" in caught.value.hint


def test_hub_feeds_a_source(openbao: OpenBao, auth: dict[str, str]) -> None:
    """What a hub publishes, a host reads with its end: the mark beside it tells."""
    name = unique("hub")
    target = make(openbao, auth, f"secret/{name}")
    target.write(TEXT, MARK, target.read())
    source = vault_source(openbao, auth, path=f"secret/{name}", docker_config_field="config.json")
    (credential,) = source.fetch([])
    assert (credential.registry, credential.expires_at) == ("one.example.com", END)
