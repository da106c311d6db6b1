"""Everything a live org's chat can show and take, in a real browser behind a Web Messaging provider."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import FilePayload, Locator, Page, expect

from guestwire.emulator.records import Stage
from guestwire.testing.eventually import eventually
from tests.browser.conftest import OpenPage, Stack, running_stack
from tests.browser.people import Guest
from tests.browser.quality import overflow, violations

GREETING = "What can I do for you?"
FOCUSED = """() => {
  const one = document.querySelector("guest-chat").shadowRoot.activeElement;
  return one?.className ?? "";
}"""


@pytest.fixture
async def messenger() -> AsyncIterator[Stack]:
    """A gateway in front of an org that speaks Web Messaging."""
    async with running_stack(api="web-messaging") as running:
        yield running


async def greeted(open_page: OpenPage, stack: Stack, **options: object) -> Guest:
    guest = Guest(await open_page(stack.chat_url, **options))
    await guest.reads(GREETING)
    return guest


async def focused(page: Page) -> str:
    return str(await page.evaluate(FOCUSED))


async def set_up(stack: Stack, **changes: object) -> None:
    """Change the deployment before anybody comes; a gateway reads it once in a while."""
    stack.emulator.org.change_deployment(stack.emulator.deployment_id, **changes)
    await stack.stop_gateway()
    await stack.start_gateway()


def panel(guest: Guest, title: str) -> Locator:
    """Return a picker or a form by its title."""
    return guest.transcript.locator(".panel").filter(has_text=title)


async def announced(page: Page) -> list[str]:
    return await page.locator(".announcer p").all_inner_texts()


async def test_quick_replies(messenger: Stack, open_page: OpenPage) -> None:
    """One Enter takes a suggestion; it is marked, the others rest, here, after a reload and in another tab."""
    guest = await greeted(open_page, messenger)
    await guest.says("chips")
    chip = guest.page.get_by_role("button", name="An invoice")
    await expect(chip).to_be_enabled()
    await expect(guest.page.get_by_role("button", name="Opening hours")).to_be_hidden()
    assert await violations(guest.page) == []
    await chip.press("Enter")
    await expect(guest.message("An invoice")).to_contain_text("Delivered")
    assert await focused(guest.page) == "input"
    await guest.page.reload()
    other = Guest(await open_page(messenger.chat_url, beside=guest.page))
    for one in (guest, other):
        await expect(one.page.get_by_role("button", name="An invoice (chosen)")).to_be_disabled()
        await expect(one.page.get_by_role("button", name="An order")).to_be_disabled()
    assert await violations(guest.page) == []


async def test_cards(messenger: Stack, open_page: OpenPage) -> None:
    """A carousel moves with keys and buttons; a card's button answers, its link leads elsewhere."""
    guest = await greeted(open_page, messenger, viewport={"width": 420, "height": 800})
    await guest.says("cards")
    cards = guest.transcript.get_by_role("list", name="Cards")
    await expect(cards.get_by_role("listitem")).to_have_count(3)
    link = cards.get_by_role("link", name="Details").first
    assert await link.get_attribute("rel") == "noopener noreferrer nofollow"
    assert await violations(guest.page) == []
    await expect(guest.page.get_by_role("button", name="Previous card")).to_be_hidden()
    await guest.page.get_by_role("button", name="Next card").click()
    await expect(guest.page.get_by_role("button", name="Previous card")).to_be_visible()
    await cards.press("ArrowRight")
    order = cards.get_by_role("listitem").filter(has_text="Chalk white").get_by_role("button", name="Order")
    await order.press("Enter")
    await guest.reads("You chose: Order.")
    await expect(cards.get_by_role("button", name="Order (chosen)")).to_be_disabled()
    await expect(cards.get_by_role("button", name="Order", exact=True)).to_have_count(2)
    assert await overflow(guest.page) == 0


async def test_date_picker(messenger: Stack, open_page: OpenPage) -> None:
    """Times stand below the reader's own days; arrow keys choose, Enter sends, an empty choice is refused in words."""
    guest = await greeted(open_page, messenger, timezone_id="Asia/Tokyo")
    await guest.says("date picker")
    picker = panel(guest, "Delivery")
    times = picker.get_by_role("radiogroup", name="Times")
    await expect(times.get_by_role("radio")).to_have_count(9)
    await expect(times.get_by_text("5:00 PM").first).to_be_visible()
    assert await violations(guest.page) == []
    await picker.get_by_role("button", name="Send").press("Enter")
    await expect(picker.get_by_role("alert")).to_have_text("Choose something first.")
    await guest.page.keyboard.press("ArrowDown")
    await guest.page.keyboard.press("Enter")
    await guest.reads("You chose:")
    await expect(picker.get_by_role("radio", checked=True)).to_be_disabled()
    await expect(picker.get_by_role("button", name="Send")).to_have_count(0)
    assert await focused(guest.page) == "input"
    await guest.page.reload()
    await expect(panel(guest, "Delivery").get_by_role("radio", checked=True)).to_be_disabled()
    assert await violations(guest.page) == []


async def test_list_picker(messenger: Stack, open_page: OpenPage) -> None:
    """Several of one section, one of another; the answer names each, and stays to be read."""
    guest = await greeted(open_page, messenger)
    await guest.says("list picker")
    picker = panel(guest, "Extras")
    await picker.get_by_role("checkbox", name="Brush").press("Space")
    await picker.get_by_role("checkbox", name="Tape").press("Space")
    await picker.get_by_role("radio", name="Plain").press("Space")
    assert await violations(guest.page) == []
    await picker.get_by_role("button", name="Send").press("Enter")
    await guest.reads("You chose: Brush, Tape, Plain.")
    await expect(guest.message("My extras")).to_contain_text("Delivered")
    await expect(picker).to_contain_text("Brush, Tape, Plain")
    for name in ("Brush", "Tape", "Plain"):
        await expect(picker.get_by_label(name)).to_be_checked()
        await expect(picker.get_by_label(name)).to_be_disabled()
    assert await violations(guest.page) == []


async def test_form(messenger: Stack, open_page: OpenPage) -> None:
    """Page by page with the keyboard: what is missing is said, back keeps, the summary shows, the answers stay."""
    guest = await greeted(open_page, messenger, viewport={"width": 320, "height": 700})
    await guest.says("form")
    await guest.page.get_by_role("button", name="Start").press("Enter")
    assert await focused(guest.page) == "form-title"
    form = guest.transcript.locator("form.panel").last
    await form.get_by_role("button", name="Next").press("Enter")
    await expect(form.get_by_text("Please fill this in.")).to_be_visible()
    name = form.get_by_role("textbox", name="Name")
    await expect(name).to_be_focused()
    assert await violations(guest.page) == []
    await name.fill("Ada")
    await expect(form.get_by_text("Please fill this in.")).to_be_hidden()
    await name.press("Enter")
    await expect(form.locator(".form-title").get_by_text("The delivery")).to_be_visible()
    await form.get_by_role("button", name="Back").press("Enter")
    await expect(name).to_have_value("Ada")
    await form.get_by_role("button", name="Next").press("Enter")
    await form.locator("input[type=date]").fill("2026-12-24")
    await form.get_by_role("combobox").select_option("Upper floor")
    assert await violations(guest.page) == []
    await form.get_by_role("button", name="Review").press("Enter")
    await expect(form.get_by_text("24/12/2026")).to_be_visible()
    assert await violations(guest.page) == []
    await form.get_by_role("button", name="Send").press("Enter")
    await guest.reads("name = Ada")
    assert await focused(guest.page) == "input"
    await guest.page.reload()
    await guest.reads("name = Ada")
    await expect(guest.transcript.locator(".summary")).to_contain_text("Upper floor")
    assert await violations(guest.page) == []
    assert await overflow(guest.page) == 0


async def test_formatted_text(messenger: Stack, open_page: OpenPage) -> None:
    """The dialect is drawn with elements where the deployment has it, and left as it was written where not."""
    guest = await greeted(open_page, messenger)
    await guest.says("formatted")
    bubble = guest.transcript.locator("[data-from=bot] .text").last
    await expect(bubble.locator("strong").first).to_be_visible()
    await expect(bubble.locator("em").first).to_be_visible()
    await expect(bubble.get_by_role("link").first).to_have_attribute("rel", "noopener noreferrer nofollow")
    await guest.says("*loud* ==not mine== <b>raw</b>")
    mine = guest.message("not mine")
    await expect(mine.locator("strong")).to_have_text("loud")
    await expect(mine).to_contain_text("==not mine== <b>raw</b>")
    assert await violations(guest.page) == []


async def test_plain_text_without_the_dialect(messenger: Stack, open_page: OpenPage) -> None:
    await set_up(messenger, markdown=False)
    guest = await greeted(open_page, messenger)
    await guest.says("*quiet* www.example.com")
    await expect(guest.message("*quiet*").get_by_role("link")).to_have_attribute("href", "http://www.example.com/")


async def test_files_of_the_bot(messenger: Stack, open_page: OpenPage) -> None:
    """A picture shows and can be looked at large; another file is a row with its size."""
    guest = await greeted(open_page, messenger)
    await guest.says("picture")
    picture = guest.page.get_by_role("button", name="View colours.png")
    await expect(picture).to_be_visible()
    await eventually(
        lambda: guest.page.evaluate(
            "document.querySelector('guest-chat').shadowRoot.querySelector('.picture-image').naturalWidth > 0"
        ),
        within_s=30,
    )
    await picture.press("Enter")
    viewer = guest.page.get_by_role("dialog", name="colours.png")
    await expect(viewer.get_by_role("button", name="Close")).to_be_focused()
    assert await violations(guest.page) == []
    await guest.page.keyboard.press("Escape")
    await expect(viewer).to_be_hidden()
    await expect(picture).to_be_focused()
    await guest.says("file")
    row = guest.transcript.get_by_role("link", name="terms.txt")
    await expect(row).to_contain_text("File, ")
    async with guest.page.expect_popup() as opening, guest.page.context.expect_page():
        await row.click()
    await (await opening.value).close()


NOTE: FilePayload = {"name": "note.txt", "mimeType": "text/plain", "buffer": b"Ring twice."}
TOOL: FilePayload = {"name": "tool.exe", "mimeType": "application/octet-stream", "buffer": b"MZ"}


async def test_a_file_by_the_button(messenger: Stack, open_page: OpenPage) -> None:
    """It waits beside the message, goes with it, and is there for both sides; what is refused says why."""
    guest = await greeted(open_page, messenger)
    async with guest.page.expect_file_chooser() as choosing:
        await guest.page.get_by_role("button", name="Attach files").press("Enter")
    await (await choosing.value).set_files([NOTE, TOOL])
    tray = guest.page.get_by_role("list", name="Files to send")
    await expect(tray.get_by_text("Ready to send")).to_be_visible()
    await expect(tray.get_by_text("Files of this type are not allowed.")).to_be_visible()
    assert "note.txt is ready to send" in await announced(guest.page)
    assert await violations(guest.page) == []
    await tray.get_by_role("button", name="Remove tool.exe").press("Enter")
    await expect(guest.composer).to_be_focused()
    await guest.says("For the driver")
    await expect(tray).to_be_hidden()
    await guest.reads("I have got your file: note.txt.")
    mine = guest.message("For the driver")
    await expect(mine.get_by_role("link", name="note.txt")).to_be_visible()
    await guest.page.reload()
    await expect(guest.message("For the driver").get_by_role("link", name="note.txt")).to_be_visible()
    assert await violations(guest.page) == []


@pytest.mark.parametrize("way", ["paste", "drop"])
async def test_a_file_by_hand(messenger: Stack, open_page: OpenPage, way: str) -> None:
    """Pasted into the composer or dropped anywhere on the chat, it goes along without a word too."""
    guest = await greeted(open_page, messenger)
    await expect(guest.page.get_by_role("button", name="Attach files")).to_be_visible()
    target = guest.composer if way == "paste" else guest.transcript
    await target.evaluate(
        """(target, way) => {
          const data = new DataTransfer();
          data.items.add(new File(["Ring twice."], "note.txt", { type: "text/plain" }));
          const init = { bubbles: true, cancelable: true, composed: true };
          if (way === "drop") target.dispatchEvent(new DragEvent("dragover", { ...init, dataTransfer: data }));
          const event = way === "drop" ? new DragEvent("drop", { ...init, dataTransfer: data })
            : new ClipboardEvent("paste", { ...init, clipboardData: data });
          target.dispatchEvent(event);
        }""",
        way,
    )
    await expect(guest.page.locator(".draft-state")).to_contain_text("Ready to send")
    await guest.composer.press("Enter")
    await guest.reads("I have got your file: note.txt.")


async def test_an_upload_that_hangs_is_cancelled_and_one_that_failed_is_tried_again(
    messenger: Stack, open_page: OpenPage
) -> None:
    guest = await greeted(open_page, messenger, expect_errors=True)
    await guest.page.route("**/attachments", lambda _route: None)
    await guest.page.locator("input[type=file]").set_input_files([NOTE])
    await guest.composer.fill("half a sentence")
    await guest.composer.press("Enter")
    await expect(guest.composer).to_have_value("half a sentence")
    assert "A file is still on its way. Send when it is ready." in await announced(guest.page)
    await guest.page.get_by_role("button", name="Cancel note.txt").click()
    await expect(guest.page.get_by_role("list", name="Files to send")).to_be_hidden()
    await guest.page.unroute("**/attachments")
    await guest.page.route("**/attachments", lambda route: route.abort())
    await guest.page.locator("input[type=file]").set_input_files([NOTE])
    retry = guest.page.get_by_role("button", name="Retry note.txt")
    await expect(retry).to_be_visible()
    assert await violations(guest.page) == []
    await guest.page.unroute("**/attachments")
    await retry.press("Enter")
    await expect(guest.page.locator(".draft-state")).to_contain_text("Ready to send")


async def test_people_and_bots_are_told_apart(messenger: Stack, open_page: OpenPage) -> None:
    """The bot has a badge, the agent a picture, and the handover a line of its own."""
    guest = await greeted(open_page, messenger)
    await expect(guest.transcript.locator("[data-from=bot] .badge").first).to_have_text("Bot")
    await guest.says("I want a person")
    await guest.reads("has joined. You are now talking with a person")
    await expect(guest.transcript.locator("[data-from=agent] .avatar-image").first).to_be_visible()
    assert any("You are now talking with a person" in line for line in await announced(guest.page))


async def test_a_long_chat_is_read_page_by_page(messenger: Stack, open_page: OpenPage) -> None:
    """Only its end is drawn; going up draws more and keeps the reader's place."""
    guest = await greeted(open_page, messenger)
    org = messenger.emulator.org
    (conversation,) = org.conversations.values()
    for number in range(300):
        org.add_entry(conversation, "bot", f"Line {number:03}")
    await guest.reads("Line 299")
    await guest.page.reload()
    await guest.reads("Line 299")
    rows = guest.transcript.locator(".message")
    assert await rows.count() <= 100
    await expect(guest.transcript.get_by_text("Line 100", exact=True)).to_have_count(0)
    first = await rows.nth(1).inner_text()
    before = await guest.transcript.evaluate("(log) => (log.scrollTop = 10)")
    assert before == 10
    await expect(guest.transcript.get_by_text("Line 200", exact=True)).to_be_attached()
    assert await guest.transcript.evaluate("(log) => log.scrollTop") > 1000
    await expect(guest.transcript.get_by_text(first).first).to_be_in_viewport()
    while await guest.page.get_by_role("button", name="Earlier messages").count():
        await guest.page.get_by_role("button", name="Earlier messages").press("Enter")
    await expect(guest.transcript.get_by_text("Line 000")).to_have_count(1)
    assert await rows.count() >= 300


async def test_a_session_about_to_expire(messenger: Stack, open_page: OpenPage) -> None:
    """In the last five minutes the guest is told, and one click stays."""
    await set_up(messenger, session_duration_s=240)
    guest = await greeted(open_page, messenger)
    await guest.is_told("This chat is about to expire.")
    await guest.is_told("It closes in 4 minutes.")
    assert await violations(guest.page) == []
    messenger.emulator.org.change_deployment(messenger.emulator.deployment_id, session_duration_s=7200)
    await guest.page.get_by_role("button", name="Stay").click()
    await expect(guest.page.get_by_role("button", name="Stay")).to_be_hidden()


async def test_clearing_the_conversation(messenger: Stack, open_page: OpenPage) -> None:
    """It asks first; then nothing is left, both tabs say so, and a new chat can begin."""
    guest = await greeted(open_page, messenger)
    await guest.says("Something private")
    await expect(guest.message("Something private")).to_contain_text("Delivered")
    other = Guest(await open_page(messenger.chat_url, beside=guest.page))
    await other.reads("Something private")
    await guest.page.get_by_role("button", name="More").click()
    assert await violations(guest.page) == []
    await guest.page.get_by_role("button", name="Clear conversation").click()
    await expect(guest.page.get_by_role("dialog")).to_be_visible()
    assert await violations(guest.page) == []
    await guest.page.get_by_role("dialog").get_by_role("button", name="Clear it").click()
    for one in (guest, other):
        await expect(one.page.get_by_text("The conversation was cleared. Nothing of it is kept here.")).to_be_visible()
        await expect(one.transcript.get_by_text("Something private")).to_have_count(0)
    await guest.page.get_by_role("button", name="Start a new chat").click()
    await guest.reads(GREETING)
    await expect(guest.composer).to_be_editable()


async def test_a_read_only_end(messenger: Stack, open_page: OpenPage) -> None:
    """It can be read, not written in; a new chat begins below it."""
    await set_up(messenger, disconnect="ReadOnly")
    guest = await greeted(open_page, messenger)
    (conversation,) = messenger.emulator.org.conversations.values()
    messenger.emulator.org.move(conversation, Stage.ENDED, ended_by="agent")
    await guest.is_told("This conversation is closed. You can read it, but not write in it.")
    assert await violations(guest.page) == []
    await guest.page.get_by_role("button", name="Start a new chat").click()
    await expect(guest.transcript.get_by_text(GREETING)).to_have_count(2)
    await guest.says("Once more")
    await expect(guest.message("Once more")).to_contain_text("Delivered")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"allow_all_domains": False, "allowed_domains": ("elsewhere.example",)}, "refused the connection (403)"),
        ({"is_active": False}, "switched off at its provider"),
    ],
)
async def test_a_deployment_that_refuses(
    messenger: Stack, open_page: OpenPage, changes: dict[str, object], words: str
) -> None:
    """The guest reads what is wrong, and what the owner has to do."""
    await set_up(messenger, **changes)
    guest = Guest(await open_page(messenger.chat_url, expect_errors=True))
    await guest.is_told(words)
    assert await violations(guest.page) == []
