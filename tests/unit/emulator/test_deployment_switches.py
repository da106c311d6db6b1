"""What a deployment may be set to, and what the org does with it."""

from __future__ import annotations

from typing import Any

import pytest

from guestwire.emulator.changes import DeploymentChanged
from guestwire.emulator.deployment_switches import changed, checked
from guestwire.emulator.records import DeploymentRecord
from tests.unit.emulator.scene import Scene

SHOP = DeploymentRecord(id="d1")


def test_a_change_counts() -> None:
    """What is not named stays."""
    after = changed(SHOP, {"disconnect": "Send", "allowed_domains": ["a.test"]})
    assert (after.disconnect, after.allowed_domains, after.version) == ("Send", ("a.test",), 2)
    assert after.bot_name == SHOP.bot_name
    assert checked(after) == after


@pytest.mark.parametrize(
    "changes",
    [
        {"disconnect": "maybe"},
        {"clear": 1},
        {"file_types": "image/*"},
        {"session_duration_s": 0},
        {"session_duration_s": 10**9},
        {"max_file_kb": -1},
        {"max_file_kb": 25_001},
        {"nothing": True},
        {"id": "d2"},
    ],
)
def test_what_can_not_be(changes: dict[str, Any]) -> None:
    """Refused in words."""
    with pytest.raises(ValueError, match=r"deployment|Expected"):
        changed(SHOP, changes)


@pytest.mark.parametrize("deployment_id", ["", "x" * 65])
def test_ids(deployment_id: str) -> None:
    """Of some length."""
    with pytest.raises(ValueError, match="id of 1 to 64"):
        checked(DeploymentRecord(id=deployment_id))


def test_the_org_has_them(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Published when added, changed and deleted; not too many; a change that is refused changes nothing."""
    org = scene.org
    org.add_deployment(SHOP)
    org.change_deployment("d1", clear=False)
    with pytest.raises(ValueError, match="version"):
        org.change_deployment("d1", clear=True, version=9)
    assert (org.deployments["d1"].clear, org.deployments["d1"].version) == (False, 2)
    with pytest.raises(KeyError):
        org.change_deployment("d2", clear=False)
    monkeypatch.setattr("guestwire.emulator.org.MAX_DEPLOYMENTS", 1)
    with pytest.raises(ValueError, match="already"):
        org.add_deployment(DeploymentRecord(id="d2"))
    org.add_deployment(SHOP)
    org.delete_deployment("d1")
    with pytest.raises(KeyError):
        org.delete_deployment("d1")
    assert scene.changes == [DeploymentChanged("d1")] * 4
    org.add_deployment(SHOP)
    org.reset(1)
    assert org.deployments == {}
