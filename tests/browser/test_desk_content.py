"""The desk in Chromium with a guest of Web Messaging: every kind of content made and sent, files, answers, switches."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import FilePayload, Locator, Page, expect

from guestwire.emulator.records import DeploymentRecord
from guestwire.testing.eventually import eventually
from tests.browser.conftest import OpenPage
from tests.browser.people import Agent
from tests.browser.quality import overflow, violations
from tests.integration.emulator.messenger import PNG, Messenger, file, joined
from tests.integration.emulator.world import World, running

PHONE = {"width": 320, "height": 640}
DESKTOP = {"width": 1280, "height": 800}
CALM: dict[str, Any] = {"reduced_motion": "reduce", "viewport": DESKTOP}

# Drawn of two pixels: what a browser shows as a picture.
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAIAAAB7QOjdAAAAD0lEQVR4nGNgYGBo+P8fAAMBAgApSsT6AAAAAElFTkSuQmCC"
)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """An emulator without a demo agent."""
    async with running(demo_agent=False) as emulated:
        yield emulated


class Desk(Agent):
    """An agent who has a guest."""

    def tray(self) -> Locator:
        return self.page.get_by_role("region", name="Rich content and replies")

    def editor(self) -> Locator:
        return self.page.get_by_role("dialog")

    async def opens_the_tray(self) -> None:
        await self.page.get_by_role("button", name="Rich content and replies").click()
        await expect(self.tray()).to_be_visible()

    async def makes(self, kind: str) -> Locator:
        """Open the empty editor of a kind."""
        await self.opens_the_tray()
        await self.tray().get_by_role("button", name=kind, exact=True).click()
        return self.editor()

    async def sends_it(self) -> None:
        await self.editor().get_by_role("button", name="Send", exact=True).click()
        await expect(self.editor()).to_have_count(0)


async def chat(world: World, open_page: OpenPage, *, query: str = "", **options: Any) -> tuple[Desk, Messenger]:
    """Return an agent at the desk, and the guest whom they have accepted."""
    page = await open_page(f"{world.emulator.desk_url}{query}", **{**CALM, **options})
    desk = Desk(page)
    await desk.takes_a_seat("Grace")
    guest = await joined(world)
    await guest.say("I want a person")
    await page.get_by_role("button", name="Accept Unnamed guest").first.click()
    await expect(desk.composer()).to_be_visible()
    return desk, guest


async def content_of(guest: Messenger) -> tuple[str, list[dict[str, Any]]]:
    """Return text and content of the next message that has any of an agent's content."""
    while True:
        body = await guest.bot()
        if body.get("content") and body.get("originatingEntity") == "Human":
            return body.get("text", ""), body["content"]


def covers(sent: object, received: object) -> bool:
    """Return whether all that was sent was received; the provider adds what its clients want to see."""
    if isinstance(sent, dict):
        return isinstance(received, dict) and all(covers(value, received.get(name)) for name, value in sent.items())
    if isinstance(sent, list):
        pairs = zip(sent, received, strict=True) if isinstance(received, list) and len(sent) == len(received) else None
        return pairs is not None and all(covers(*pair) for pair in pairs)
    return sent == received


# --- sending ---------------------------------------------------------------------------------------------------------


async def test_every_ready_made_message_reaches_the_guest(world: World, open_page: OpenPage) -> None:
    """One press sends it as it is; every kind is among them."""
    desk, guest = await chat(world, open_page)
    kinds = set()
    for template in (await world.call("GET", "/desk/api/templates")).json:
        await desk.opens_the_tray()
        await desk.tray().get_by_role("button", name=f"Send “{template['title']}”").click()
        await expect(desk.tray()).to_be_hidden()
        await expect(desk.composer()).to_be_focused()
        if template["content"]:
            text, content = await content_of(guest)
            assert text == template["text"]
            assert covers(template["content"], content), content
            kinds |= {item["contentType"] for item in content}
    assert kinds == {"QuickReply", "Card", "Carousel", "DatePicker", "ListPicker", "Form"}
    assert await violations(desk.page) == []


async def quick_replies(editor: Locator) -> dict[str, Any]:
    await editor.get_by_label("Words").fill("Blue")
    await editor.get_by_role("button", name="Add reply").click()
    await expect(editor.get_by_role("group", name="Reply 2").get_by_label("Words")).to_be_focused()
    await editor.page.keyboard.type("Red")
    await editor.get_by_role("group", name="Reply 2").get_by_label("What is sent back").fill("colour:red")
    await editor.get_by_role("button", name="Move Reply 2 up").click()
    return {"contentType": "QuickReply", "quickReply": {"text": "Red", "payload": "colour:red", "action": "Message"}}


async def card(editor: Locator) -> dict[str, Any]:
    await editor.get_by_label("Title").fill("Paint")
    await editor.get_by_label("Description").fill("10 litres")
    button = editor.get_by_role("group", name="Button 1")
    await button.get_by_label("Does what").select_option("Link")
    await expect(button.get_by_label("Does what")).to_be_focused()
    await button.get_by_label("Words").fill("Details")
    await button.get_by_label("Page").fill("https://shop.example/paint")
    action = {"type": "Link", "text": "Details", "url": "https://shop.example/paint"}
    return {"contentType": "Card", "card": {"title": "Paint", "description": "10 litres", "actions": [action]}}


async def carousel(editor: Locator) -> dict[str, Any]:
    one = editor.get_by_role("group", name="Card 1")
    await one.get_by_label("Title").fill("Paint")
    await one.get_by_label("Description").fill("10 litres")
    await one.get_by_label("Words").fill("Order")
    await one.get_by_label("What is sent back").fill("order")
    action = {"type": "Postback", "text": "Order", "payload": "order"}
    return {
        "contentType": "Carousel",
        "carousel": {"cards": [{"title": "Paint", "description": "10 litres", "actions": [action]}]},
    }


async def date_picker(editor: Locator) -> dict[str, Any]:
    await editor.get_by_label("Title").fill("Delivery")
    await editor.get_by_label("Begins").fill("2026-05-11T08:00")
    await editor.get_by_label("Minutes").fill("90")
    time = {"dateTime": "2026-05-11T08:00:00.000Z", "duration": 5400}
    return {"contentType": "DatePicker", "datePicker": {"title": "Delivery", "availableTimes": [time]}}


async def list_picker(editor: Locator) -> dict[str, Any]:
    section = editor.get_by_role("group", name="Section 1")
    await section.get_by_label("Title").first.fill("Tools")
    await section.get_by_label("Several may be chosen").check()
    await section.get_by_role("group", name="Choice 1").get_by_label("Title", exact=False).first.fill("Brush")
    item = {"title": "Brush", "id": "brush"}
    return {
        "contentType": "ListPicker",
        "listPicker": {
            "receivedMessage": {},
            "sections": [{"title": "Tools", "multipleSelection": True, "items": [item]}],
            "replyMessage": {},
        },
    }


async def form(editor: Locator) -> dict[str, Any]:
    page = editor.get_by_role("group", name="Page 1")
    await page.get_by_label("Title").first.fill("You")
    question = page.get_by_role("group", name="Question 1")
    await question.get_by_label("Title").first.fill("Name")
    await question.get_by_label("Required").check()
    entered = {
        "title": "Name",
        "isRequired": True,
        "isMultipleLine": False,
        "keyboardType": "Default",
        "id": "name",
    }
    component = {"formComponentType": "Input", "input": entered}
    return {
        "contentType": "Form",
        "form": {
            "formPages": [{"title": "You", "pageComponents": [component]}],
            "showSummary": False,
            "cannedResponseId": "id",
        },
    }


KINDS = {
    "Quick replies": quick_replies,
    "Card": card,
    "Carousel": carousel,
    "Date picker": date_picker,
    "List picker": list_picker,
    "Form": form,
}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_kind_made_in_its_editor(world: World, open_page: OpenPage, kind: str) -> None:
    """An empty one complains at its first field; filled in it shows what the guest will see, and arrives as written."""
    desk, guest = await chat(world, open_page, timezone_id="UTC")
    editor = await desk.makes(kind)
    await editor.get_by_role("button", name="Send", exact=True).click()
    await expect(editor.get_by_role("alert")).to_contain_text("another look")
    await expect(editor.locator("[aria-invalid=true]").first).to_be_focused()
    assert await violations(desk.page) == []
    await editor.get_by_label("Message").fill("Look at *this*:")
    expected = await KINDS[kind](editor)
    await expect(editor.locator(".editor-look strong").first).to_have_text("this")
    await desk.sends_it()
    text, content = await content_of(guest)
    assert text == "Look at *this*:"
    assert covers(expected, content[0]), content
    await expect(desk.composer()).to_be_focused()
    await expect(desk.transcript.locator(".miniature > *").last).to_be_visible()


async def test_a_ready_made_message_is_changed_first(world: World, open_page: OpenPage) -> None:
    """Its editor has it filled in; as JSON it can be changed and turned back, and a refusal keeps it open."""
    desk, guest = await chat(world, open_page, expect_errors=True)
    await desk.opens_the_tray()
    await desk.tray().get_by_role("button", name="Edit “A parcel”").click()
    editor = desk.editor()
    await expect(editor.get_by_label("Title")).to_have_value("Your parcel")
    await editor.get_by_label("Edit as JSON").check()
    json = editor.get_by_label("Content items, as JSON")
    good = await json.input_value()
    await json.fill("{")
    await editor.get_by_role("button", name="Send", exact=True).click()
    await expect(editor.get_by_role("alert")).to_contain_text("This is no content")
    await json.fill('{"contentType": "Card", "card": {"actions": [7]}}')
    await editor.get_by_role("button", name="Send", exact=True).click()
    await expect(editor.get_by_role("alert")).to_contain_text("Item 1 of the content is no Card")
    await json.fill('{"contentType": "Location"}')
    await editor.get_by_label("Edit as JSON").click()
    await expect(editor.get_by_role("alert")).to_contain_text("The form cannot show all of this")
    await expect(editor.get_by_label("Edit as JSON")).to_be_checked()
    await json.fill(good.replace("Your parcel", "The parcel"))
    await editor.get_by_label("Edit as JSON").uncheck()
    await expect(editor.get_by_label("Title")).to_have_value("The parcel")
    await desk.sends_it()
    _, content = await content_of(guest)
    assert content[0]["card"]["title"] == "The parcel"


async def test_escape_leads_back(world: World, open_page: OpenPage) -> None:
    """From the editor to the tray, from the tray to the message; nothing is sent."""
    desk, guest = await chat(world, open_page)
    await desk.page.keyboard.press("Alt+r")
    await expect(desk.tray().get_by_role("button", name="Quick replies")).to_be_focused()
    await desk.page.keyboard.press("Enter")
    await expect(desk.editor().get_by_label("Message")).to_be_focused()
    await desk.page.keyboard.press("Escape")
    await expect(desk.tray().get_by_role("button", name="Quick replies")).to_be_focused()
    await desk.page.keyboard.press("Escape")
    await expect(desk.composer()).to_be_focused()
    await desk.says("Only this")
    assert (await guest.bot())["text"] != ""


async def test_in_the_bots_voice(world: World, open_page: OpenPage) -> None:
    """Chosen beside the field, seen before it is sent, and the guest hears the bot."""
    desk, guest = await chat(world, open_page)
    await desk.page.get_by_label("Send as").select_option("The bot")
    await desk.says("I am no human")
    while (body := await guest.bot())["text"] != "I am no human":
        pass
    assert body["originatingEntity"] == "Bot"
    await expect(desk.transcript.locator("[data-from=bot]").last).to_contain_text("I am no human")


# --- files -----------------------------------------------------------------------------------------------------------

DROP = """(element, [name, type, text, kind]) => {
  const data = new DataTransfer();
  data.items.add(new File([text], name, { type }));
  const basics = { bubbles: true, cancelable: true };
  const pasted = () => new ClipboardEvent("paste", { clipboardData: data, ...basics });
  const dragged = (name) => new DragEvent(name, { dataTransfer: data, ...basics });
  const events = kind === "paste" ? [pasted()] : [dragged("dragover"), dragged("drop")];
  for (const event of events) element.dispatchEvent(event);
}"""


async def test_files_by_button_paste_and_drop(world: World, open_page: OpenPage) -> None:
    """Each waits over the field, one is taken out, and what is left goes with the text; the guest can download it."""
    desk, guest = await chat(world, open_page)
    page = desk.page
    waiting = page.get_by_role("list", name="Files to send")
    async with page.expect_file_chooser() as chooser:
        await page.get_by_role("button", name="Attach files").click()
    await (await chooser.value).set_files(FilePayload(name="door.png", mimeType="image/png", buffer=PICTURE))
    await desk.composer().evaluate(DROP, ["pasted.txt", "text/plain", "pasted", "paste"])
    await page.locator("#conversation").evaluate(DROP, ["Tür & Tor.txt", "text/plain", "dropped", "drop"])
    await expect(waiting.locator("[data-state=ready]")).to_have_count(3)
    assert await violations(page) == []
    await waiting.get_by_role("button", name="Take out pasted.txt").click()
    await expect(waiting.get_by_role("listitem")).to_have_count(2)
    await expect(desk.composer()).to_be_focused()
    await desk.says("The door and a note")
    await expect(waiting).to_be_hidden()
    text, content = await content_of(guest)
    files = [item["attachment"] for item in content]
    assert (text, [one["filename"] for one in files]) == ("The door and a note", ["door.png", "Tür & Tor.txt"])
    answer = await world.http.get(files[1]["url"])
    assert (answer.status, await answer.text()) == (200, "dropped")
    await expect(desk.transcript.get_by_role("img", name="Picture door.png")).to_be_visible()
    assert await violations(page) == []


async def test_a_file_that_is_refused(world: World, open_page: OpenPage) -> None:
    """It says why at its place, the text goes without it, and it can be taken out."""
    desk, guest = await chat(world, open_page, expect_errors=True)
    page = desk.page
    await page.locator("input[type=file]").set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b""})
    waiting = page.get_by_role("list", name="Files to send")
    await expect(waiting.locator("[data-state=failed]")).to_contain_text("The file is empty")
    await desk.says("Without it")
    while (await guest.bot())["text"] != "Without it":
        pass
    await waiting.get_by_role("button", name="Take out a.txt").click()
    await expect(waiting).to_be_hidden()


# --- what the guest does ---------------------------------------------------------------------------------------------


async def test_answers_and_files_of_the_guest(world: World, open_page: OpenPage) -> None:
    """In words, under what they answer, which is marked answered; a file with its picture and a way to save it."""
    desk, guest = await chat(world, open_page)
    await desk.opens_the_tray()
    await desk.tray().get_by_role("button", name="Send “When to deliver?”").click()
    question = await guest.until("StructuredMessage", text="When may we deliver?")
    picked = {
        "type": "DatePicker",
        "text": "Tomorrow at 10",
        "payload": "2026-05-11T10:00:00.000Z",
        "originatingMessageId": question["body"]["id"],
    }
    await guest.say(None, type="Structured", content=[{"contentType": "ButtonResponse", "buttonResponse": picked}])
    said = desk.transcript.locator("[data-from=guest]").last
    await expect(said).to_contain_text("Tomorrow at 10")
    await expect(said.get_by_role("button", name="When may we deliver?")).to_be_visible()
    await expect(desk.transcript.locator("[data-mine]").last).to_contain_text("Answered")
    await said.get_by_role("button", name="When may we deliver?").click()
    await expect(desk.transcript.locator("[data-mine]").last).to_be_focused()
    attachment_id = await guest.upload(data=PICTURE)
    await guest.say("The door", content=file(attachment_id))
    await expect(desk.transcript.get_by_role("img", name="Picture door.png")).to_be_visible()
    async with desk.page.expect_download() as download:
        await desk.transcript.get_by_role("link", name="Download door.png").click()
    assert (await download.value).suggested_filename == "door.png"
    assert await violations(desk.page) == []


async def test_what_the_page_told_of_the_guest(world: World, open_page: OpenPage) -> None:
    """Custom attributes stand in the guest's panel, as they come."""
    desk, guest = await chat(world, open_page)
    told = {"metadata": {"customAttributes": {"plan": "gold", "name": "Nora"}}}
    await guest.say("Who am I?", channel=told)
    panel = desk.page.get_by_role("tabpanel", name="Guest")
    await expect(panel.get_by_text("gold")).to_be_visible()
    await expect(desk.page.get_by_role("heading", name="Nora").first).to_be_visible()
    await expect(panel.get_by_text("Web Messaging")).to_be_visible()


async def test_trying_things_on_a_guest(world: World, open_page: OpenPage) -> None:
    """Many messages at once; a colleague takes over; the guest signs in on another device."""
    desk, guest = await chat(world, open_page)
    page = desk.page
    await page.get_by_label("How many messages").fill("12")
    await page.get_by_role("button", name="Send that many").click()
    await desk.reads("Message 12 of 12")
    while (await guest.bot())["text"] != "Message 12 of 12":
        pass
    bob = await world.agent("Bob")
    await page.get_by_role("button", name="Transfer").click()
    await page.get_by_role("dialog").get_by_role("button", name="Bob").click()
    await expect(page.get_by_text("Bob is talking with this guest.")).to_be_visible()
    assert (await world.call("GET", "/desk/api/state")).json["conversations"][-1]["agentId"] == bob
    await page.get_by_role("button", name="Sign in elsewhere").click()
    closed = await guest.until("ConnectionClosedEvent")
    assert closed["body"]["reason"] == "signedIn"


# --- the deployment --------------------------------------------------------------------------------------------------


async def test_switches_of_the_deployment(world: World, open_page: OpenPage) -> None:
    """Set with the keyboard and shown as the emulator has them; what means nothing now is hidden; bad ones are told."""
    desk, _ = await chat(world, open_page, expect_errors=True)
    page, org = desk.page, world.emulator.org

    def record() -> DeploymentRecord:
        return org.deployments[world.emulator.deployment_id]

    await page.keyboard.press("Alt+o")
    panel = page.get_by_role("tabpanel", name="Deployment")
    await expect(panel.get_by_text(world.emulator.deployment_id).first).to_be_visible()
    domains = panel.get_by_label("Allowed domains", exact=True)
    await expect(domains).to_be_hidden()
    await panel.get_by_role("switch", name="All domains").press("Space")
    await expect(panel.get_by_role("switch", name="All domains")).not_to_be_checked()
    await domains.fill("shop.example\nexample.org")
    await domains.blur()
    await panel.get_by_label("When it ends").select_option("Told, and may go on writing")
    await eventually(lambda: record().disconnect == "Send")
    await panel.get_by_label("Largest file (kB)").fill("99999999")
    await panel.get_by_label("Largest file (kB)").blur()
    await expect(page.get_by_text("0 to 25000 kilobytes").first).to_be_visible()
    assert (record().allowed_domains, record().disconnect) == (("shop.example", "example.org"), "Send")
    assert record().max_file_kb == 10_240
    await world.call("PATCH", f"/desk/api/deployments/{world.emulator.deployment_id}", {"botName": "Ottilie"})
    await expect(panel.get_by_label("Name of the bot")).to_have_value("Ottilie")
    assert await violations(page) == []


async def test_faults_are_found(world: World, open_page: OpenPage) -> None:
    """Under headings, and by a word of their explanation."""
    desk, _ = await chat(world, open_page)
    await desk.page.keyboard.press("Alt+u")
    panel = desk.page.get_by_role("tabpanel", name="Faults")
    assert await panel.get_by_role("heading", level=2).count() > 3
    await panel.get_by_role("searchbox", name="Find a fault").fill("garbage")
    await expect(panel.get_by_role("listitem")).to_have_count(1)
    await panel.get_by_role("searchbox", name="Find a fault").fill("no such")
    await expect(panel.get_by_text("No fault matches.")).to_be_visible()


# --- every state, small and mirrored ---------------------------------------------------------------------------------


async def shown_states(desk: Desk) -> AsyncIterator[str]:
    """Open one thing after the other."""
    page: Page = desk.page
    yield "chat"
    await desk.opens_the_tray()
    yield "tray"
    await desk.tray().get_by_role("button", name="Edit “Your details”").click()
    yield "editor"
    await desk.editor().get_by_label("Edit as JSON").check()
    yield "json"
    await page.keyboard.press("Escape")
    await page.keyboard.press("Escape")
    for keys in ("Alt+o", "Alt+u"):
        await page.keyboard.press(keys)
        yield keys
    await page.get_by_role("tab", name="Guest").click()
    yield "guest"


@pytest.mark.parametrize(
    "viewport, scheme, direction",
    [(PHONE, "dark", "rtl"), (DESKTOP, "light", "ltr")],
    ids=["phone-dark-rtl", "desktop-light-ltr"],
)
async def test_every_state(
    world: World, open_page: OpenPage, viewport: dict[str, int], scheme: str, direction: str
) -> None:
    """No violation, no overflow, with content of every kind in the transcript."""
    desk, guest = await chat(world, open_page, viewport=viewport, color_scheme=scheme)
    await desk.page.evaluate("(direction) => document.documentElement.setAttribute('dir', direction)", direction)
    ada = next(one for one in world.emulator.org.agents.values() if one.name == "Grace")
    conversation_id = next(reversed(world.emulator.org.conversations))
    for template in (await world.call("GET", "/desk/api/templates")).json:
        await world.command(conversation_id, "messages", ada.id, text=template["text"], content=template["content"])
    await guest.say("x" * 200, content=file(await guest.upload(data=PNG, name="a" * 60 + ".png")))
    await expect(desk.transcript.get_by_text("x" * 200)).to_be_visible()
    async for state in shown_states(desk):
        assert await violations(desk.page) == [], state
        assert await overflow(desk.page) == 0, state
