"""Write the reference pages that the code knows best: settings, errors, connection, command line, faults.

Run `make generate` after changing one of them; a contract test fails when it was forgotten.
"""

from __future__ import annotations

import inspect
import io
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path

from rich.console import Console

import guestwire
from guestwire.cli.app import build_app
from guestwire.emulator.faults import CATALOGUE
from guestwire.errors import ERRORS
from guestwire.gateway.log.outbox import OPEN_STATES, OUTBOX
from guestwire.protocols.guest_session.closes import CLOSE_CODES
from guestwire.protocols.guest_session.relay import RELAY_STATES
from guestwire.protocols.guest_session.states import STATES, STATUS_OF
from guestwire.settings import EmulatorSettings, GatewaySettings, ProviderSettings, Secret

DOCS = Path(__file__).parent.parent / "docs"
NOTE = "<!-- Written by `make generate`. Do not edit. -->\n\n"


def pages() -> dict[str, str]:
    """Return every generated page: path below docs/ → text."""
    return {
        "reference/settings.md": NOTE + _settings(),
        "reference/errors.md": NOTE + _errors(),
        "reference/connection.md": NOTE + _connection(),
        "reference/relay.md": NOTE + _relay(),
        "reference/cli.md": NOTE + _cli(),
        "reference/faults.md": NOTE + _faults(),
        "reference/widget.md": NOTE + _widget(),
    }


def _settings() -> str:
    return "\n".join(
        [
            "# Settings\n",
            "Each setting is an option of the command, a variable of the environment and a key of the settings file.",
            "The option wins over the variable, the variable over the file, the file over the default.",
            "The file is `guestwire.toml` in the current folder, or what `GUESTWIRE_SETTINGS` names.",
            "Secrets are never options: a command line is seen by everybody on the machine.",
            "Several values: an array in the file, spaces between them in a variable, the option repeated.\n",
            "With nothing said about the provider, `guestwire serve` uses the emulator at its default address.\n",
            "## Gateway: `guestwire serve`, table `[gateway]`, variables `GUESTWIRE_…`\n",
            *_settings_table(GatewaySettings, "GUESTWIRE_"),
            "\n### The provider, in the same table\n",
            *_settings_table(ProviderSettings, "GUESTWIRE_"),
            "\n## Emulator: `guestwire emulate`, table `[emulator]`, variables `GUESTWIRE_EMULATOR_…`\n",
            *_settings_table(EmulatorSettings, "GUESTWIRE_EMULATOR_"),
            "",
        ]
    )


def _settings_table(kind: type[GatewaySettings | ProviderSettings | EmulatorSettings], prefix: str) -> Iterable[str]:
    helps = _attribute_docs(kind)
    rows = [
        (f"`{field.name}`", f"`{prefix}{field.name.upper()}`", _default(field), helps[field.name])
        for field in fields(kind)
        if field.name != "provider"
    ]
    return _table(("setting", "variable", "default", "meaning"), rows)


def _attribute_docs(kind: type) -> dict[str, str]:
    """Read the Attributes section of a class's docstring."""
    lines = (inspect.getdoc(kind) or "").partition("Attributes:\n")[2].splitlines()
    docs: dict[str, str] = {}
    name = ""
    for line in lines:
        if line.startswith("    ") and not line.startswith("        "):
            name, _, first = line.strip().partition(": ")
            docs[name] = first
        elif name:
            docs[name] += " " + line.strip()
    return docs


def _default(field: Field[object]) -> str:
    value = field.default
    if value is MISSING:
        value = field.default_factory() if field.default_factory is not MISSING else None
    match value:
        case None | ():
            return "–"
        case Secret():
            return f"`{value.reveal()}`"
        case bool():
            return "yes" if value else "no"
        case _:
            return f"`{value}`"


def _errors() -> str:
    rows = [
        (
            f"`{code}`",
            info.summary,
            info.hint,
            info.retry,
            str(info.http_status or "–"),
            str(info.close_code or "–"),
        )
        for code, info in ERRORS.items()
    ]
    return "\n".join(
        [
            "# Error codes\n",
            "Every error has a stable code: in `ChatError.code`, in the `code` of an HTTP answer, in `error` frames.",
            "`retry` says whether trying again by itself can help.\n",
            *_table(("code", "what happened", "what to do", "retry", "HTTP", "close"), rows),
            "",
        ]
    )


def _connection() -> str:
    closes = [(str(code), rule.action, f"`{rule.code}`") for code, rule in CLOSE_CODES.items()]
    return "\n".join(
        [
            "# The connection\n",
            "One table decides what a client does, in Python and in the browser.\n",
            *_diagram(STATES, starts="idle"),
            "## What a person is told\n",
            *_table(("state", "status"), [(f"`{state}`", f"`{status}`") for state, status in STATUS_OF.items()]),
            "\n## Close codes\n",
            "A code that is not listed is a lost connection; any close after `ended` is its natural end.\n",
            *_table(("code", "a client then", "error code"), closes),
            "",
        ]
    )


def _relay() -> str:
    final = [state for state in OUTBOX if state not in OPEN_STATES]
    return "\n".join(
        [
            "# States of the relay\n",
            "## A guest's message\n",
            "Each change is in the log before anybody is told of it.",
            "One message of a chat is `sending` at a time; those after it wait, so that their order holds.\n",
            *_diagram(OUTBOX, starts="accepted", ends=final),
            "`shown` leads from `accepted` and `waiting` to `delivered` only after an attempt to send.",
            "From `unconfirmed`, the guest decides: sending again makes a new message.\n",
            "## A browser's connection\n",
            *_diagram(RELAY_STATES, starts="greeting", ends=["closed"]),
            "A client of the tutorial brings session and token in the address: it begins at `checking` and is `plain`.",
            "What a close means to a client is in [The connection](connection.md).",
            "",
        ]
    )


def _diagram(table: Mapping[str, Mapping[str, str]], *, starts: str, ends: Iterable[str] = ()) -> list[str]:
    """Draw a table state → input → state; a state's way to itself says nothing and is left out."""
    arrows = [
        f"    {_id(state)} --> {_id(after)}: {what}"
        for state, row in table.items()
        for what, after in row.items()
        if after != state
    ]
    return [
        "```mermaid",
        "stateDiagram-v2",
        f"    [*] --> {_id(starts)}",
        *arrows,
        *(f"    {_id(end)} --> [*]" for end in ends),
        "```\n",
    ]


def _faults() -> str:
    rows = [
        (
            f"`{info.name}`",
            info.kind,
            info.group,
            info.title,
            info.help,
            ", ".join(f"`{name}` {param.default}" for name, param in info.params.items()) or "–",
        )
        for info in CATALOGUE.values()
    ]
    return "\n".join(
        [
            "# Faults of the emulator\n",
            'A switch stays on until it is turned off: `PUT /emulator/faults/{name}` with `{"on": true}`.',
            "An action happens once: `POST /emulator/faults/{name}`.",
            "A capability is switched, too, but is no fault: a session has those that were on at its creation.",
            "The agent desk has them all.\n",
            *_table(("name", "kind", "about", "at the desk", "effect", "parameters"), rows),
            "",
        ]
    )


WIDGET = Path(guestwire.__file__).parent / "web/widget/elements/guest-chat.js"
_TAGS = {
    "attr": "Attributes",
    "event": "Events",
    "slot": "Slots",
    "csspart": "Parts, for `::part()`",
    "cssproperty": "Custom properties",
}


def _widget() -> str:
    """Read the public surface of the element from the comment above its class."""
    comment = WIDGET.read_text(encoding="utf-8").partition("* @element")[2].partition("*/")[0]
    rows: dict[str, list[tuple[str, ...]]] = {tag: [] for tag in _TAGS}
    pattern = r"@(\w+) (?:\{([^}]+)\} )?([\w-]+) - (.+)"
    for tag, kind, name, words in re.findall(pattern, comment):
        rows[tag].append((f"`{name}`", *([f"`{kind}`"] if tag == "attr" else []), words))
    parts = [
        "# The element `<guest-chat>`\n",
        "Attributes are properties too (`externalContactId` for `external-contact-id`).",
        "What is set before the script has loaded counts.",
        "Methods: `send(text)` returns whether it was taken; `end()`, `startNew()`, `reconnect()`.",
        "`status` is read-only.",
        "Events bubble and leave the shadow root.\n",
    ]
    for tag, title in _TAGS.items():
        head = ("name", "type", "meaning") if tag == "attr" else ("name", "meaning")
        parts += [f"## {title}\n", *_table(head, rows[tag]), ""]
    return "\n".join(parts)


def _id(state: str) -> str:
    return state.replace("-", "_")


def _cli() -> str:
    parts = ["# Command line\n"]
    for command in ("", "demo", "serve", "emulate"):
        text = io.StringIO()
        build_app().help_print([command] if command else [], console=Console(file=text, width=100, color_system=None))
        help_text = "\n".join(line.rstrip() for line in text.getvalue().strip().splitlines())
        parts += [f"## `{f'guestwire {command}'.strip()}`\n", "```text", help_text, "```\n"]
    return "\n".join(parts)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return [line(head), line("---" for _ in head), *(line(row) for row in rows)]


if __name__ == "__main__":
    for path, text in pages().items():
        (DOCS / path).write_text(text, encoding="utf-8")
        sys.stdout.write(f"docs/{path} written\n")
