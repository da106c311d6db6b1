"""The org as JSON, for desk and control API. Times are epoch milliseconds; absent members are left out."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from guestwire.emulator.desk import Desk
from guestwire.emulator.desk_deployments import deployment_views
from guestwire.emulator.faults import CATALOGUE, FaultInfo, FaultKind
from guestwire.emulator.org import Org
from guestwire.emulator.records import Agent, Conversation, Entry, Stage
from guestwire.model.content import ContentItem, content_item, misfit
from guestwire.model.events import epoch_ms

__all__ = [
    "AgentView",
    "AgentsFrame",
    "ConversationFrame",
    "ConversationView",
    "DeploymentsFrame",
    "EntryFrame",
    "EntryView",
    "FaultView",
    "FaultsFrame",
    "FlowView",
    "GuestView",
    "QueueView",
    "SnapshotFrame",
    "TypingFrame",
    "agent_view",
    "agent_views",
    "conversation_view",
    "entry_view",
    "fault_view",
    "fault_views",
    "snapshot",
]


class _View(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of the views: UNSET members are left out, all others written."""


class AgentView(_View, frozen=True, kw_only=True):
    """Somebody at the desk; `active` counts their conversations."""

    id: str
    name: str
    on_queue: bool
    is_demo: bool
    active: int
    avatar: str | UnsetType = UNSET


class GuestView(_View, frozen=True, kw_only=True):
    """What the guest told about itself."""

    name: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    external_contact_id: str | UnsetType = UNSET
    attributes: dict[str, str] | UnsetType = UNSET
    signed_in_as: str | UnsetType = UNSET


class EntryView(_View, frozen=True, kw_only=True):
    """One line of a conversation."""

    id: str
    sender: str = msgspec.field(name="from")
    text: str
    at: int
    name: str | UnsetType = UNSET
    content: list[dict[str, object]] | UnsetType = UNSET
    avatar: str | UnsetType = UNSET
    in_reply_to: str | UnsetType = UNSET
    authenticated: bool | UnsetType = UNSET


class ConversationView(_View, frozen=True, kw_only=True):
    """A conversation; `entries` is left out of changes."""

    id: str
    session_id: str
    status: str
    stage: str
    guest: GuestView
    started_at: int
    connections: int
    protocol: str
    deployment_id: str | UnsetType = UNSET
    agent_id: str | UnsetType = UNSET
    agent_name: str | UnsetType = UNSET
    queued_at: int | UnsetType = UNSET
    ended_at: int | UnsetType = UNSET
    end_reason: str | UnsetType = UNSET
    entries: list[EntryView] | UnsetType = UNSET


class FaultView(_View, frozen=True, kw_only=True):
    """A fault; `on` only for what is switched."""

    name: str
    title: str
    help: str
    kind: str
    group: str
    on: bool | UnsetType = UNSET
    params: dict[str, int] | UnsetType = UNSET


class FlowView(_View, frozen=True, kw_only=True):
    """The flow."""

    published: bool


class QueueView(_View, frozen=True, kw_only=True):
    """The queue."""

    name: str


class _Frame(_View, frozen=True, kw_only=True, tag_field="type"):
    """Base of the frames of the desk's event socket."""


class SnapshotFrame(_Frame, frozen=True, kw_only=True, tag="snapshot"):
    """Everything that agents see."""

    agents: list[AgentView]
    conversations: list[ConversationView]
    faults: list[FaultView]
    flow: FlowView
    queue: QueueView
    deployments: list[dict[str, object]]


class AgentsFrame(_Frame, frozen=True, kw_only=True, tag="agents"):
    """Who is at the desk now."""

    agents: list[AgentView]


class ConversationFrame(_Frame, frozen=True, kw_only=True, tag="conversation"):
    """A new conversation, or a changed one."""

    conversation: ConversationView


class EntryFrame(_Frame, frozen=True, kw_only=True, tag="entry"):
    """A new line."""

    conversation_id: str
    entry: EntryView


class TypingFrame(_Frame, frozen=True, kw_only=True, tag="typing"):
    """Somebody is typing."""

    conversation_id: str
    sender: str = msgspec.field(name="from")


class DeploymentsFrame(_Frame, frozen=True, kw_only=True, tag="deployments"):
    """The deployments as they are now."""

    deployments: list[dict[str, object]]


class FaultsFrame(_Frame, frozen=True, kw_only=True, tag="faults"):
    """The faults and the flow as they are now."""

    faults: list[FaultView]
    flow: FlowView


MAX_ENDED_SHOWN = 100
MAX_ENTRIES_SHOWN = 200
"""A snapshot is one frame: of ended conversations the latest are in it, of each conversation the latest lines."""


def snapshot(org: Org, desk: Desk) -> SnapshotFrame:
    """Return what agents see."""
    shown = [one for one in org.conversations.values() if desk.is_shown(one)]
    ended = sorted((one for one in shown if one.stage is Stage.ENDED), key=lambda one: one.ended_at or one.started_at)
    too_old = {one.id for one in ended[:-MAX_ENDED_SHOWN]}
    return SnapshotFrame(
        agents=agent_views(org),
        conversations=[conversation_view(one) for one in shown if one.id not in too_old],
        faults=fault_views(org),
        flow=FlowView(published=org.is_flow_published),
        queue=QueueView(name=org.queue_name),
        deployments=deployment_views(org),
    )


def agent_view(org: Org, agent: Agent) -> AgentView:
    """Return one agent."""
    return AgentView(
        id=agent.id,
        name=agent.name,
        on_queue=agent.on_queue,
        is_demo=agent.is_demo,
        active=org.active_count(agent),
        avatar=_present(agent.avatar),
    )


def agent_views(org: Org) -> list[AgentView]:
    """Return everybody at the desk."""
    return [agent_view(org, agent) for agent in org.agents.values()]


def conversation_view(conversation: Conversation, *, with_entries: bool = True) -> ConversationView:
    """Return a conversation."""
    guest = conversation.guest
    return ConversationView(
        id=conversation.id,
        session_id=conversation.session_id,
        status=conversation.status,
        stage=conversation.stage,
        guest=GuestView(
            name=_present(conversation.guest_name),
            email=_present(guest.email),
            external_contact_id=_present(guest.external_contact_id),
            attributes=dict(conversation.attributes) or UNSET,
            signed_in_as=conversation.user.id if conversation.user else UNSET,
        ),
        started_at=epoch_ms(conversation.started_at),
        connections=conversation.connections,
        protocol=conversation.protocol,
        deployment_id=_present(conversation.deployment_id),
        agent_id=_present(conversation.agent_id),
        agent_name=_present(conversation.agent_name),
        queued_at=_moment(conversation.queued_at),
        ended_at=_moment(conversation.ended_at),
        end_reason=_present(conversation.ended_by),
        entries=_last_entries(conversation) if with_entries else UNSET,
    )


def _last_entries(conversation: Conversation) -> list[EntryView]:
    return [entry_view(entry) for entry in list(conversation.entries)[-MAX_ENTRIES_SHOWN:]]


def entry_view(entry: Entry) -> EntryView:
    """Return one line of a conversation."""
    return EntryView(
        id=entry.id,
        sender=entry.sender,
        text=entry.text,
        at=epoch_ms(entry.at),
        name=_present(entry.name),
        content=[_content(item) for item in entry.content] or UNSET,
        avatar=_present(entry.avatar),
        in_reply_to=_present(entry.in_reply_to),
        authenticated=entry.is_authenticated or UNSET,
    )


def _content(item: ContentItem) -> dict[str, object]:
    """Return an item as its kind is understood, so that a page may trust its shape; an unknown kind as it came."""
    if item.value is not None:
        return content_item(item.value).raw
    return item.raw if misfit(item) is None else {"contentType": item.kind}


def fault_view(org: Org, info: FaultInfo) -> FaultView:
    """Return one fault and how it is set."""
    return FaultView(
        name=info.name,
        title=info.title,
        help=info.help,
        kind=info.kind,
        group=info.group,
        on=UNSET if info.kind is FaultKind.ACTION else org.faults.is_on(info.name),
        params=dict(org.faults.params(info.name)) if info.params else UNSET,
    )


def fault_views(org: Org) -> list[FaultView]:
    """Return every fault, in the catalogue's order."""
    return [fault_view(org, info) for info in CATALOGUE.values()]


def _present(text: str | None) -> str | UnsetType:
    return UNSET if text is None else text


def _moment(moment: datetime | None) -> int | UnsetType:
    return UNSET if moment is None else epoch_ms(moment)
