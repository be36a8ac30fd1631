"""A kubeconfig that holds something else, that can't be read, or that is no safe way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from rotator.core.errors import PermanentError, Reason
from rotator.kubernetes.access import Access
from tests.unit.kubernetes.cluster import error_of
from tests.unit.kubernetes.kubeconfig.room import EVERY, FIELDS, Room
from tests.unit.kubernetes.test_login import write_plugin

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("field", [one for one in EVERY if FIELDS.get(one.split(".")[0])])
def test_a_field_that_holds_something_else_is_named(room: Room, field: str) -> None:
    """As a number that a person wrote without quotes; what it holds is not repeated."""
    section, _, name = field.partition(".")
    kind = FIELDS[section][name]
    if kind is Any:
        return  # extensions hold anything
    lists = {"exec", "as-groups", "as-user-extra", "args", "env"}
    wrong: Any = "s3cr3t-wrong" if name in lists else ["s3cr3t-wrong"]
    user = write_plugin(room.place)
    if section == "context":
        with pytest.raises(PermanentError, match=f"`{name}`"):
            room.read(context={name: wrong})
        return
    if section == "exec":
        user["exec"][name] = wrong
    elif section == "user":
        user = {name: wrong}
    cluster = {name: wrong} if section == "cluster" else {}
    said = room.error(user=user, cluster=cluster)
    assert f"`{name}`" in said
    assert "s3cr3t" not in said


@pytest.mark.parametrize("section", FIELDS)
def test_a_field_that_there_is_not_is_refused(room: Room, section: str) -> None:
    """A misspelt one would be ignored in silence; the one that was meant is named."""
    name = next(iter(FIELDS[section]))
    misspelt = f"{name}x"
    user, cluster, context = write_plugin(room.place), {}, {}
    {"cluster": cluster, "user": user, "exec": user["exec"], "context": context}[section][
        misspelt
    ] = "s3cr3t-x"
    with pytest.raises(PermanentError) as caught:
        room.read(user=user, cluster=cluster, context=context)
    assert f"`{misspelt}`" in caught.value.detail
    assert f"did you mean `{name}`" in caught.value.detail
    assert caught.value.reason is Reason.MALFORMED


def test_no_login_is_sent_in_the_clear(tmp_path: Path) -> None:
    """Beyond this machine, a server with plain HTTP gets no token: kubectl sends none either."""
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": "http://kube.example.com"}}],
        "users": [{"name": "u", "user": {"token": "s3cr3t-token"}}],
    }
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(config))
    error = error_of(Access(path))
    assert error.reason is Reason.INVALID
    assert "`server`" in error.detail


def test_a_kubeconfig_that_is_unreadable(tmp_path: Path) -> None:
    """The system's own words say why."""
    error = error_of(Access(tmp_path))
    assert error.reason is Reason.UNREADABLE
    assert "Is a directory" in error.detail
