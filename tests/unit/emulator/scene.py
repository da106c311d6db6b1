"""An org without a network, wired as the app does it, and a record of what it publishes."""

from __future__ import annotations

from dataclasses import dataclass, field

from guestwire.emulator.changes import Change, EntryAdded
from guestwire.emulator.clock import EmulatorClock
from guestwire.emulator.control import Control
from guestwire.emulator.desk import Desk
from guestwire.emulator.flow import Flow
from guestwire.emulator.guest_side import GuestSide
from guestwire.emulator.org import Org
from guestwire.emulator.records import Conversation, OAuthClient
from guestwire.model.secret import Secret
from guestwire.protocols.guest_session.session import GuestDetails
from guestwire.testing.fake_clock import FakeClock


@dataclass
class Scene:
    """Guests, desk and control of one org, with a seed and a clock that the test turns."""

    time: FakeClock = field(default_factory=lambda: FakeClock(auto_jump=False))
    changes: list[Change] = field(default_factory=list)

    def __post_init__(self) -> None:
        client = OAuthClient("demo-client", Secret("demo-secret"))
        self.org = Org([client], clock=EmulatorClock(self.time, is_seeded=True), seed=1)
        self.guests = GuestSide(self.org, Flow())
        self.desk = Desk(self.org, self.guests)
        self.control = Control(self.org, self.guests)
        self.org.subscribe(self.changes.append)

    def conversation(self, *texts: str, name: str | None = "Tom") -> Conversation:
        """Return a connected guest's conversation after these texts."""
        session, _ = self.org.create_session(GuestDetails(name=name))
        self.guests.connected(session)
        conversation = self.org.open_conversation(session)
        for text in texts:
            self.guests.said(conversation, text)
        return conversation

    def said(self, conversation: Conversation) -> list[str]:
        """Return who said something, in order."""
        return [entry.sender for entry in conversation.entries]

    def published_entries(self) -> list[str]:
        return [change.entry.text for change in self.changes if isinstance(change, EntryAdded)]
