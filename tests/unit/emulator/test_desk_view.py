"""The fold of the desk's events: snapshot and changes give a fresh snapshot."""

from __future__ import annotations

import msgspec

from guestwire.emulator.desk_feed import DeskFeed
from guestwire.emulator.desk_view import DeskView
from guestwire.emulator.faults import FaultName
from guestwire.emulator.guards import OwnSite
from guestwire.emulator.records import DeploymentRecord
from guestwire.emulator.views import conversation_view, entry_view, snapshot
from tests.unit.emulator.scene import Scene


class Page:
    """A socket that folds what it gets."""

    is_writable = True

    def __init__(self) -> None:
        self.view = DeskView()

    def send(self, frame: str) -> None:
        self.view.fold(frame)

    def close(self, code: int = 1000, reason: str = "") -> None:
        raise AssertionError("nobody closes it")

    def abort(self) -> None:
        raise AssertionError("nobody breaks it")

    def pause_reading(self) -> None:
        raise AssertionError("nobody pauses it")

    def resume_reading(self) -> None:
        raise AssertionError("nobody pauses it")


def check(scene: Scene, page: Page) -> None:
    """Compare what the page knows with the org itself."""
    shown = [one for one in scene.org.conversations.values() if scene.desk.is_shown(one)]
    assert list(page.view.conversations) == [one.id for one in shown]
    for one in shown:
        known = msgspec.structs.replace(page.view.conversations[one.id], entries=msgspec.UNSET)
        assert known == conversation_view(one, with_entries=False)
        assert page.view.entries(one.id) == [entry_view(entry) for entry in one.entries]
    assert list(page.view.agents.values()) == snapshot(scene.org, scene.desk).agents


def test_changes_fold_to_a_fresh_snapshot(scene: Scene) -> None:
    """After every step of a long story the page knows what a fresh snapshot would say."""
    feed = DeskFeed(scene.org, scene.desk, OwnSite(host="127.0.0.1", public_url=None))
    page = Page()
    feed.add(page)
    desk, guests, control = scene.desk, scene.guests, scene.control
    ada, _ = desk.sign_in("Ada")
    first = scene.conversation("Help")
    steps = (
        lambda: desk.set_on_queue(ada.id, on_queue=True),
        lambda: desk.accept(first.id, ada.id),
        lambda: desk.send(first.id, ada.id, "Hello"),
        lambda: desk.send(first.id, ada.id, "I am the bot", as_bot=True),
        lambda: desk.set_avatar(ada.id, "https://cdn.example/ada.png"),
        lambda: scene.org.add_deployment(DeploymentRecord(id="d1")),
        lambda: desk.change_deployment("d1", {"markdown": False}),
        lambda: guests.typed(first),
        lambda: control.switch(FaultName.NO_AGENTS, on=True),
        scene.conversation,
        lambda: control.switch(FaultName.UNPUBLISH_FLOW, on=True),
        lambda: desk.transfer(first.id, ada.id),
        lambda: scene.conversation("Unseen"),
        control.clear_faults,
        lambda: guests.ended(first),
        control.reset,
    )
    check(scene, page)
    for step in steps:
        step()
        check(scene, page)


def test_who_is_there(scene: Scene) -> None:
    """A person on queue counts, the demo agent does not; both faults silence it."""
    page = Page()
    DeskFeed(scene.org, scene.desk, OwnSite(host="127.0.0.1", public_url=None)).add(page)
    seen: list[bool] = []
    demo, _ = scene.desk.sign_in("Demo", is_demo=True)
    scene.desk.set_on_queue(demo.id, on_queue=True)
    seen.append(page.view.has_person)
    ada, _ = scene.desk.sign_in("Ada")
    seen.append(page.view.has_person)
    scene.desk.set_on_queue(ada.id, on_queue=True)
    seen.append(page.view.has_person)
    assert seen == [False, False, True]
    for fault in (FaultName.NO_AGENTS, FaultName.UNPUBLISH_FLOW):
        silenced = []
        for on in (False, True):
            scene.control.switch(fault, on=on)
            silenced.append(page.view.is_silenced)
        assert silenced == [False, True]
        scene.control.clear_faults()
