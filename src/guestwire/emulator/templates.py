"""Messages that agents send with one click, or change first: one of each kind of rich content, and more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from guestwire.model.content import (
    AvailableTime,
    Card,
    CardAction,
    Carousel,
    ContentItem,
    DatePicker,
    Form,
    FormComponent,
    FormInput,
    FormIntroduction,
    FormPage,
    ListItem,
    ListPicker,
    ListSection,
    PickerMessage,
    WheelItem,
    WheelPicker,
    card,
    carousel,
    date_picker,
    form,
    list_picker,
    quick_reply,
)
from guestwire.model.times import format_time

__all__ = ["Template", "make_templates"]


@dataclass(frozen=True, slots=True)
class Template:
    """One of them; `title` is for the agent, `text` for a guest whose page can't draw the content."""

    name: str
    title: str
    text: str
    content: tuple[ContentItem, ...] = ()


def make_templates(now: datetime) -> tuple[Template, ...]:
    """Return them all; dates are those of the days after `now`."""
    return (*_REPLIES, _PARCEL, _PAINTS, _delivery(now), _EXTRAS, _DETAILS, _FORMATTED)


_REPLIES = (
    Template(
        "solved",
        "Was that all?",
        "Have I answered your question?",
        (quick_reply("Yes, thank you"), quick_reply("No, there is more")),
    ),
    Template(
        "topic",
        "Which topic?",
        "What is it about?",
        (quick_reply("An order"), quick_reply("An invoice"), quick_reply("Something else")),
    ),
)

_PARCEL = Template(
    "parcel",
    "A parcel",
    "Your parcel is on its way. It arrives tomorrow between 10:00 and 12:00.",
    (
        card(
            Card(
                title="Your parcel",
                description="It arrives tomorrow between 10:00 and 12:00.",
                actions=(
                    CardAction(type="Link", text="Track it", url="https://example.com/parcels/4711"),
                    CardAction(type="Postback", text="Deliver on another day", payload="Deliver on another day"),
                ),
            )
        ),
    ),
)


def _paint(title: str, description: str, name: str) -> Card:
    return Card(
        title=title,
        description=description,
        actions=(
            CardAction(type="Link", text="Details", url=f"https://example.com/paints/{name}"),
            CardAction(type="Postback", text="Order", payload=f"order:{name}"),
        ),
    )


_PAINTS = Template(
    "paints",
    "Three paints",
    "These fit your wall.",
    (
        carousel(
            Carousel(
                cards=(
                    _paint("Matt blue", "10 litres, for two coats.", "matt-blue"),
                    _paint("Satin red", "5 litres, washable.", "satin-red"),
                    _paint("Chalk white", "2.5 litres, for damp rooms.", "chalk-white"),
                )
            )
        ),
    ),
)


def _delivery(now: datetime) -> Template:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    slots = [midnight + timedelta(days=day, hours=hour) for day in (1, 2, 3) for hour in (8, 10, 14)]
    return Template(
        "delivery",
        "When to deliver?",
        "When may we deliver?",
        (
            date_picker(
                DatePicker(
                    title="Delivery",
                    subtitle="Somebody has to be at home.",
                    available_times=tuple(AvailableTime(date_time=format_time(one), duration=7200) for one in slots),
                )
            ),
        ),
    )


_EXTRAS = Template(
    "extras",
    "Anything else?",
    "Would you like anything else with it?",
    (
        list_picker(
            ListPicker(
                received_message=PickerMessage(title="Extras", subtitle="As many as you like"),
                sections=(
                    ListSection(
                        title="Tools",
                        multiple_selection=True,
                        items=(
                            ListItem(id="brush", title="Brush", subtitle="50 mm"),
                            ListItem(id="roller", title="Roller", subtitle="25 cm"),
                            ListItem(id="tape", title="Tape"),
                        ),
                    ),
                    ListSection(
                        title="Wrapping",
                        items=(ListItem(id="plain", title="Plain"), ListItem(id="gift", title="As a gift")),
                    ),
                ),
                reply_message=PickerMessage(title="Extras", subtitle="My extras"),
            )
        ),
    ),
)


_DETAILS = Template(
    "details",
    "Your details",
    "Please tell us where to deliver.",
    (
        form(
            Form(
                canned_response_id="2e9b7a44-1c2d-4e3f-8a5b-6c7d8e9f0a1b",
                introduction=FormIntroduction(
                    title="Two short pages", subtitle="It takes a minute.", button_text="Start"
                ),
                form_pages=(
                    FormPage(
                        title="You",
                        subtitle="Who receives it",
                        page_components=(
                            FormComponent(
                                form_component_type="Input",
                                input=FormInput(id="name", title="Name", is_required=True, keyboard_type="Default"),
                            ),
                            FormComponent(
                                form_component_type="Input",
                                input=FormInput(id="email", title="E-mail", keyboard_type="Email"),
                            ),
                        ),
                    ),
                    FormPage(
                        title="The delivery",
                        subtitle="When and what",
                        page_components=(
                            FormComponent(
                                form_component_type="DatePicker",
                                date_picker=DatePicker(id="day", title="Day", date_display_format="dayMonthYear"),
                            ),
                            FormComponent(
                                form_component_type="WheelPicker",
                                wheel_picker=WheelPicker(
                                    id="floor",
                                    items=(
                                        WheelItem(id="ground", title="Ground floor"),
                                        WheelItem(id="upper", title="Upper floor"),
                                    ),
                                ),
                            ),
                            FormComponent(
                                form_component_type="Input",
                                input=FormInput(id="note", title="A note for the driver", is_multiple_line=True),
                            ),
                        ),
                    ),
                ),
                received_message=PickerMessage(title="Your details"),
                reply_message=PickerMessage(title="Thank you, we have your details."),
                show_summary=True,
            )
        ),
    ),
)

_FORMATTED = Template(
    "formatted",
    "A formatted text",
    "*Bold*, _italic_, ~struck~, ==marked==, `code`, a [link](https://example.com), and https://example.com as it is.",
)
