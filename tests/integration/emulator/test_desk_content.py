"""The desk's API for rich chats: content checked, files, the bot's voice, and what a tester does to one guest."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest

from guestwire.emulator.changes import Change, SignedInElsewhere
from guestwire.emulator.records import Conversation, Entry, Stage
from guestwire.model.content import ContentItem, parse_content
from tests.integration.emulator.world import World

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64


@pytest.fixture
def org_changes(world: World) -> Iterator[list[Change]]:
    """Everything that the org publishes."""
    changes: list[Change] = []
    unsubscribe = world.emulator.org.subscribe(changes.append)
    yield changes
    unsubscribe()


async def chat(world: World, agent_id: str, *, protocol: str = "web-messaging") -> Conversation:
    """Return a conversation of a guest of that protocol, accepted by the agent."""
    org = world.emulator.org
    if protocol == "guest-session":
        guest = await world.guest_in_queue()
        conversation_id = await world.accepted(guest, agent_id)
        return next(one for one in org.conversations.values() if one.id == conversation_id)
    conversation = org.open_conversation(org.begin_session(next(iter(org.deployments))))
    org.add_entry(conversation, "guest", "Hello")
    org.move(conversation, Stage.QUEUE)
    assert (await world.command(conversation.id, "accept", agent_id)).status == 200
    return conversation


async def upload(world: World, data: bytes = PNG, *, name: str = "door.png", mime: str = "image/png") -> dict[str, Any]:
    answer = await world.call("POST", "/desk/api/files", data=data, headers={"content-type": mime, "filename": name})
    assert answer.status == 201, answer.text
    file = answer.json
    assert isinstance(file, dict)
    return file


def last(conversation: Conversation) -> Entry:
    return conversation.entries[-1]


# --- content ---------------------------------------------------------------------------------------------------------


async def test_in_the_bots_name(world: World) -> None:
    """An agent can let the bot say something: no name of theirs, no picture of theirs."""
    ada = await world.agent()
    conversation = await chat(world, ada)
    answer = await world.command(conversation.id, "messages", ada, text="Which colour?", asBot=True)
    assert (answer.status, answer.json["from"], "name" in answer.json) == (201, "bot", False)
    assert (last(conversation).sender, last(conversation).name) == ("bot", None)


@pytest.mark.parametrize(
    "item, reason",
    [
        ({}, "no contentType"),
        ("text", "no contentType"),
        ({"contentType": "Card", "card": {"description": "x"}}, "no Card: Object missing required field `title`"),
        ({"contentType": "QuickReply"}, "no QuickReply: Expected `object`, got `null`"),
        ({"contentType": "DatePicker", "datePicker": {"availableTimes": [{"dateTime": 1}]}}, "availableTimes[0]"),
    ],
)
async def test_content_that_does_not_fit_is_refused(world: World, item: object, reason: str) -> None:
    """The refusal says which item, what it should be and where it is wrong; nothing is sent."""
    ada = await world.agent()
    conversation = await chat(world, ada)
    before = last(conversation)
    content = [{"contentType": "QuickReply", "quickReply": {"text": "Yes", "payload": "yes"}}, item]
    answer = await world.command(conversation.id, "messages", ada, content=content)
    assert (answer.status, answer.code) == (400, "bad-request")
    assert "Item 2" in answer.json["message"]
    assert reason in answer.json["message"]
    assert last(conversation) is before


async def test_content_of_a_kind_that_nobody_knows_goes_as_it_is(world: World) -> None:
    """Testers want to see what a page makes of it."""
    ada = await world.agent()
    conversation = await chat(world, ada)
    item = {"contentType": "Location", "location": {"latitude": 1.5}}
    assert (await world.command(conversation.id, "messages", ada, content=[item])).json["content"] == [item]


async def test_a_page_may_trust_known_content(world: World) -> None:
    """What a guest sent that does not fit its kind comes to the desk's page as nothing but the kind's name."""
    org = world.emulator.org
    ada = await world.agent()
    conversation = await chat(world, ada)
    hostile: list[object] = [
        {"contentType": "Card", "card": {"title": 7}},
        {"contentType": "ButtonResponse", "buttonResponse": {"type": "Button", "text": "A", "payload": "a", "x": {}}},
    ]
    content: tuple[ContentItem, ...] = parse_content(hostile)
    org.add_entry(conversation, "guest", "", content=content, in_reply_to="q", is_authenticated=True)
    shown = (await world.call("GET", "/desk/api/state")).json["conversations"][-1]["entries"][-1]
    assert shown["content"] == [
        {"contentType": "Card"},
        {"contentType": "ButtonResponse", "buttonResponse": {"type": "Button", "text": "A", "payload": "a"}},
    ]
    assert (shown["inReplyTo"], shown["authenticated"]) == ("q", True)


@pytest.mark.parametrize("text, status", [("x" * 4000, 201), ("ü" * 4000, 201), ("x" * 4001, 400)])
async def test_texts_for_web_messaging_count_characters(world: World, text: str, status: int) -> None:
    """4,000 characters, however many bytes they are."""
    ada = await world.agent()
    conversation = await chat(world, ada)
    assert (await world.command(conversation.id, "messages", ada, text=text)).status == status


async def test_too_many_items(world: World) -> None:
    """Sixty chips are enough."""
    ada = await world.agent()
    conversation = await chat(world, ada)
    chip = {"contentType": "QuickReply", "quickReply": {"text": "Yes", "payload": "yes"}}
    assert (await world.command(conversation.id, "messages", ada, content=[chip] * 61)).code == "bad-request"


# --- files -----------------------------------------------------------------------------------------------------------


async def test_an_agent_sends_a_file(world: World) -> None:
    """It is uploaded, named in a message by its id alone, and whole in the transcript; the desk can look at it."""
    ada = await world.agent()
    conversation = await chat(world, ada)
    file = await upload(world, name="T%C3%BCr%202.png")
    assert file == {
        "id": file["id"],
        "filename": "Tür 2.png",
        "mime": "image/png",
        "mediaType": "Image",
        "fileSize": 72,
    }
    item = {
        "contentType": "Attachment",
        "attachment": {"id": file["id"], "text": "The door", "url": "https://evil.example"},
    }
    answer = await world.command(conversation.id, "messages", ada, content=[item])
    assert answer.status == 201
    assert answer.json["content"] == [{"contentType": "Attachment", "attachment": {**file, "text": "The door"}}]
    read = await world.http.get(f"/desk/api/files/{file['id']}")
    assert await read.read() == PNG
    assert read.headers["content-type"] == "image/png"
    assert read.headers["content-disposition"] == "inline; filename*=UTF-8''T%C3%BCr%202.png"
    assert read.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("mime", ["image/svg+xml", "text/html", "application/pdf", "text/plain"])
async def test_files_that_could_run_are_only_saved(world: World, mime: str) -> None:
    """Our own page's origin shows nothing but pictures, sound and film."""
    file = await upload(world, b"<script>", name="a.bin", mime=mime)
    answer = await world.call("GET", f"/desk/api/files/{file['id']}")
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_a_strange_media_type_is_none(world: World) -> None:
    """It is a file of any kind then."""
    assert (await upload(world, mime="text/ht ml"))["mime"] == "application/octet-stream"


async def test_files_that_are_refused(world: World) -> None:
    """Without a name, empty, too large, of another site; and one that is not there can't be sent or read."""
    headers = {"content-type": "image/png", "filename": "a.png"}
    answers = [
        await world.call("POST", "/desk/api/files", data=PNG, headers={"content-type": "image/png"}),
        await world.call("POST", "/desk/api/files", data=PNG, headers={**headers, "filename": "x" * 256}),
        await world.call("POST", "/desk/api/files", data=b"", headers=headers),
        await world.call("POST", "/desk/api/files", data=io.BytesIO(b"x" * 25_000_001), headers=headers),
        await world.call("POST", "/desk/api/files", data=PNG, headers={**headers, "origin": "https://evil.example"}),
        await world.call("GET", "/desk/api/files/none"),
    ]
    assert [(one.status, one.code) for one in answers] == [
        (400, "bad-request"),
        (400, "bad-request"),
        (400, "bad-request"),
        (413, "too-large"),
        (403, "origin-not-allowed"),
        (404, "not-found"),
    ]
    ada = await world.agent()
    conversation = await chat(world, ada)
    item = {"contentType": "Attachment", "attachment": {"id": "none"}}
    assert (await world.command(conversation.id, "messages", ada, content=[item])).code == "not-found"


async def test_guests_of_guest_session_get_no_files(world: World) -> None:
    """Their protocol has none."""
    ada = await world.agent()
    conversation = await chat(world, ada, protocol="guest-session")
    item = {"contentType": "Attachment", "attachment": {"id": (await upload(world))["id"]}}
    answer = await world.command(conversation.id, "messages", ada, content=[item])
    assert (answer.status, answer.code) == (409, "not-possible")


# --- what is done to a conversation ----------------------------------------------------------------------------------


async def test_many_messages_at_once(world: World) -> None:
    """They are numbered and in order; too many are refused."""
    ada = await world.agent()
    conversation = await chat(world, ada)
    assert (await world.command(conversation.id, "push", ada, count=30, asBot=True)).status == 200
    pushed = list(conversation.entries)[-30:]
    assert [entry.text for entry in pushed] == [f"Message {number} of 30" for number in range(1, 31)]
    assert {entry.sender for entry in pushed} == {"bot"}
    for count in (0, 201, -1):
        assert (await world.command(conversation.id, "push", ada, count=count)).code == "bad-request"
    assert len(conversation.entries) == len({entry.id for entry in conversation.entries})


async def test_transfer_to_queue_and_colleague(world: World) -> None:
    """Each takes it from there; nobody hands it to themselves or to nobody."""
    ada, bob = await world.agent("Ada"), await world.agent("Bob")
    conversation = await chat(world, ada)
    answer = await world.command(conversation.id, "transfer", ada, to=bob)
    assert (answer.json["agentId"], answer.json["stage"]) == (bob, "agent")
    assert last(conversation).text == "Agent Ada transferred the conversation to Bob."
    assert (await world.command(conversation.id, "transfer", bob, to=bob)).code == "bad-request"
    assert (await world.command(conversation.id, "transfer", bob, to="nobody")).code == "not-found"
    assert (await world.command(conversation.id, "transfer", ada, to="queue")).code == "not-your-conversation"
    answer = await world.command(conversation.id, "transfer", bob, to="queue")
    assert (answer.json["stage"], "agentId" in answer.json) == ("queue", False)
    assert (await world.command(conversation.id, "accept", ada)).status == 200


async def test_one_guests_session_expires(world: World) -> None:
    """That one and no other; once."""
    ada = await world.agent()
    first, second = await chat(world, ada, protocol="guest-session"), await chat(world, ada, protocol="guest-session")
    org = world.emulator.org
    assert (await world.command(first.id, "expire", ada)).status == 200
    assert org.has_expired(org.sessions[first.session_id])
    assert not org.has_expired(org.sessions[second.session_id])
    assert (await world.command(first.id, "expire", ada)).code == "not-possible"
    assert (await world.command(first.id, "expire", "nobody")).code == "not-found"


async def test_the_guest_signs_in_elsewhere(world: World, org_changes: list[Change]) -> None:
    """This session only, and only where guests can sign in."""
    ada = await world.agent()
    conversation = await chat(world, ada)
    assert (await world.command(conversation.id, "sign-in-elsewhere", ada)).status == 200
    assert SignedInElsewhere(frozenset({conversation.session_id})) in org_changes
    other = await chat(world, ada, protocol="guest-session")
    assert (await world.command(other.id, "sign-in-elsewhere", ada)).code == "not-possible"


async def test_an_agents_picture(world: World) -> None:
    """Messages carry it as it was; it is an address of the web or none."""
    ada = await world.agent()
    conversation = await chat(world, ada)
    picture = "https://cdn.example/ada.png"
    changed = await world.call("PATCH", f"/desk/api/agents/{ada}", {"avatar": picture})
    assert (changed.json["avatar"], changed.json["onQueue"]) == (picture, True)
    await world.command(conversation.id, "messages", ada, text="Hello")
    assert last(conversation).avatar == picture
    for bad in ("javascript:alert(1)", "/a.png", "https://", "https://a b", "data:image/png,", "https://" + "x" * 2048):
        assert (await world.call("PATCH", f"/desk/api/agents/{ada}", {"avatar": bad})).code == "bad-request"
    gone = await world.call("PATCH", f"/desk/api/agents/{ada}", {"avatar": None})
    assert "avatar" not in gone.json


# --- deployments -----------------------------------------------------------------------------------------------------


async def test_deployments_at_the_desk(world: World) -> None:
    """The snapshot has them, a change is told to every desk, and the org obeys it."""
    events = await world.desk_events()
    (shown,) = (await events.next())["deployments"]
    assert shown["id"] == world.emulator.deployment_id
    assert {"isActive", "autoStart", "disconnect", "clear", "markdown", "humanize", "botName", "maxFileKb"} <= set(
        shown
    )
    changes = {"disconnect": "off", "markdown": False, "allowedDomains": ["shop.example"], "maxFileKb": 5}
    answer = await world.call("PATCH", f"/desk/api/deployments/{shown['id']}", changes)
    expected = {**shown, **changes, "version": shown["version"] + 1}
    assert (answer.status, answer.json) == (200, expected)
    assert (await events.until("deployments"))["deployments"] == [expected]
    record = world.emulator.org.deployments[shown["id"]]
    assert (record.disconnect, record.allowed_domains) == ("off", ("shop.example",))


@pytest.mark.parametrize(
    "changes",
    [
        {"no": 1},
        {"id": "x"},
        {"version": 7},
        {"max_file_kb": 5},
        {"markdown": "yes"},
        {"disconnect": "maybe"},
        {"sessionDurationS": 0},
        {"maxFileKb": 10**9},
    ],
)
async def test_switches_that_are_refused(world: World, changes: dict[str, object]) -> None:
    """An unknown one, or a value that it can't have: nothing is changed."""
    org = world.emulator.org
    before = dict(org.deployments)
    answer = await world.call("PATCH", f"/desk/api/deployments/{world.emulator.deployment_id}", changes)
    assert (answer.status, answer.code) == (400, "bad-request")
    assert org.deployments == before
    assert (await world.call("PATCH", "/desk/api/deployments/none", {})).code == "not-found"
