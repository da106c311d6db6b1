"""Masking of what guests type and should not: card numbers, IBANs, email addresses, and what the owner's patterns find.

How it works. Each step takes a text and returns it with its finds replaced; IBANs go first because they contain runs of
digits, then cards, addresses and the owner's patterns. One round is all the steps, and rounds go on until one changes
nothing: a mask can make neighbours of what were none, and masking twice must give what masking once gives. No step ever
replaces a mask (•), so every round that changes something leaves less to find. A text that needs more rounds than
`MOST_ROUNDS` was made for that; all of it is masked then.

The time is linear in the text, whatever a guest sends: the scanners look at each place a bounded number of times, the
few expressions of the standard library are either of fixed length or without a choice (see each), and the owner's
patterns are run by RE2, which has no backtracking.

Nothing here logs, and no error quotes a text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from itertools import accumulate, product
from typing import Protocol

from guestwire.errors import ConfigError

__all__ = ["BUILT_INS", "IBAN_LENGTHS", "MASK", "Masker"]

MASK = "•••"
"""What stands for a match of the owner's patterns, and for a whole text that could not be masked in parts."""

MOST_ROUNDS = 8
"""Texts that people type need two: one that masks, one that finds nothing more."""

MOST_MATCHES = 500
"""Of one pattern in one text. RE2 is linear for one match, not for all: `a.*b|a` reads up to the end for each `a`."""

# Registry of ISO 13616, release 100; SWIFT, https://www.swift.com/standards/data-standards/iban. French territories and
# the like use the code of their country. UNVERIFIED: whether releases 101 to 103 (September 2026) added a country.
_IBAN_COUNTRIES = {
    15: "NO",
    16: "BE",
    18: "DK FI FK FO GL NL SD",  # codespell:ignore fo
    19: "MK SI",
    20: "AT BA EE KZ LT LU MN XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ OM SO TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
    29: "BR EG PS QA UA",
    30: "JO KW MU YE",
    31: "MT SC",
    32: "LC",
    33: "RU",
}

IBAN_LENGTHS = {country: length for length, countries in _IBAN_COUNTRIES.items() for country in countries.split()}
"""Characters of an IBAN by country, country code and check digits included."""

# What people and their keyboards put between digits: Unicode's spaces (no tab, no line break), its dashes with the
# minus, the soft hyphen and the Japanese long vowel mark that is typed for one, and dots.
_SPACES = frozenset(" \u00a0\u1680\u202f\u205f\u3000") | frozenset(map(chr, range(0x2000, 0x200B)))
_DASHES = frozenset("-\u00ad\u058a\u05be\u2043\u2212\u2e3a\u2e3b\u301c\u30fc\ufe58\ufe63\uff0d") | frozenset(
    map(chr, range(0x2010, 0x2016))
)
_DOTS = frozenset(".\u00b7\uff0e")

# As members of a character class.
_SPACE = "".join(sorted(_SPACES))
_SEPARATOR = re.escape("".join(sorted(_SPACES | _DASHES | _DOTS)))

# `\d` is every decimal digit of Unicode. Linear: after a digit comes a separator or a digit, which exclude each other,
# so there is one way to match only; a try that fails has read 12 digits and their separators at the most.
_DIGIT_RUN = re.compile(rf"\d(?:[{_SEPARATOR}]?\d){{12,}}")

# Linear: reads six characters at the most, or twice an IBAN's length, and has no choice.
_IBAN_START = re.compile(rf"[A-Za-z](?=[A-Za-z][{_SPACE}]?\d[{_SPACE}]?\d)")
_IBAN_OF_LENGTH = {
    length: re.compile(rf"[A-Za-z](?:[{_SPACE}]?[A-Za-z\d]){{{length - 1}}}(?!\d)") for length in _IBAN_COUNTRIES
}

_CARD_MASK = "•••• "
_IBAN_MASK = "•••• "
_EMAIL_MASK = "•••@•••"

_LUHN_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)

_MASK_CHAR = "•".encode()


class Masker:
    """Masks texts as the settings say; made once, at start.

    The result may be longer than the text, in bytes above all (• has three): check the length of messages afterwards.
    """

    def __init__(self, *, mask: Collection[str] = (), mask_patterns: Collection[str] = ()) -> None:
        r"""Prepare the steps.

        Args:
            mask: Names out of `BUILT_INS`: "card", "iban", "email".
            mask_patterns: Regular expressions in RE2's syntax (https://github.com/google/re2/wiki/Syntax). `\d`, `\w`
                and `\b` know ASCII only, `\pN` and `\pL` all digits and letters. What they match is replaced by
                `MASK`, after the built-ins; they never match a mask, and are tried again on what masking left, so end
                them with `\b` if they must not go on in the middle of a number.

        Raises:
            ConfigError: An unknown name; a pattern that RE2 does not take or that matches nothing at all (the empty
                text); patterns without google-re2.
        """
        for name in mask:
            if name not in BUILT_INS:
                raise ConfigError(f"mask knows {', '.join(BUILT_INS)}, got {name!r}. Use mask_patterns for your own.")
        built_ins = (step for name, step in BUILT_INS.items() if name in mask)
        self._steps = (*built_ins, *(_own_pattern(pattern) for pattern in mask_patterns))

    def apply(self, text: str) -> str:
        """Return `text` masked; the same object if there is nothing to mask.

        Takes any text, unpaired surrogates and control characters too, and never raises. Applied to its own result it
        changes nothing.
        """
        masked = text
        for _ in range(MOST_ROUNDS):
            before = masked
            for step in self._steps:
                masked = step(masked)
            if masked == before:
                return before
        return MASK


def _mask_cards(text: str) -> str:
    """Replace card numbers by •••• and their last four digits, whatever their length and grouping were.

    That is how receipts and checkouts name a card, and it tells nothing more. A card number has 13 to 19 digits, not
    all zero, with a valid check digit, and at most one space, dash or dot between two digits. It is made of whole
    groups: in `12 4111-1111-1111-1111 12/27` the groups around are left out, but a number of 20 digits without a gap is
    not searched for a part that happens to be valid, which most have. Where valid numbers overlap, all of their digits
    are masked but the last four.

    Source: ISO/IEC 7812-1 (at most 19 digits; Luhn's formula in annex B). From 13 is ours: the few Maestro cards of 12
    are not worth the telephone numbers that would go with them.
    """
    pieces: list[str] = []
    kept = 0
    for run in _DIGIT_RUN.finditer(text):
        places = [place for place in range(run.start(), run.end()) if text[place].isdecimal()]
        for first, end in _card_spans(text, places):
            pieces += text[kept : places[first]], _CARD_MASK, *(text[place] for place in places[end - 4 : end])
            kept = places[end - 1] + 1
    return _joined(pieces, text, kept)


def _card_spans(text: str, places: list[int]) -> Iterator[tuple[int, int]]:
    """Yield first and end, as indices into `places`, of what is masked as one card; in order, without overlaps."""
    count = len(places)
    digits = [int(text[place]) for place in places]
    # Sums up to each digit, with those of even index doubled and with those of odd index doubled: a span's check sum is
    # a difference, whichever its length.
    sums = [
        list(accumulate((_LUHN_DOUBLED[d] if i % 2 == odd else d for i, d in enumerate(digits)), initial=0))
        for odd in (0, 1)
    ]
    edges = [0, *(i for i in range(1, count) if places[i] > places[i - 1] + 1), count]
    first = end = 0
    for i, edge in enumerate(edges):
        for other in edges[i + 1 : i + 20]:
            if other - edge > 19:
                break
            # The last digit is not doubled, the one before is; the sum of zeros alone is 0.
            total = sums[other % 2][other] - sums[other % 2][edge]
            if other - edge < 13 or total == 0 or total % 10:
                continue
            if edge >= end:
                if end:
                    yield first, end
                first = edge
            end = max(end, other)
    if end:
        yield first, end


def _mask_ibans(text: str) -> str:
    """Replace IBANs by their country code, •••• and their last four characters.

    An IBAN has the length of its country and a valid check number; upper and lower case, at most one space between two
    characters. Letters may touch it (`IBANDE89…`), a further digit may not follow. If it has spaces, half of the part
    behind the check digits must be digits, which holds for the numbers of all countries in practice and not for "at 10
    we all went …", where chance alone would make an IBAN of one text in a hundred.

    Source: ISO 13616-1:2020 (form, lengths by registry), ISO/IEC 7064 (MOD 97-10).
    """
    pieces: list[str] = []
    kept = 0
    for match in _IBAN_START.finditer(text):
        start = match.start()
        if start < kept:
            continue
        iban, end = _iban_at(text, start)
        if iban:
            pieces += text[kept:start], iban[:2], _IBAN_MASK, iban[-4:]
            kept = end
    return _joined(pieces, text, kept)


def _iban_at(text: str, start: int) -> tuple[str, int]:
    """Return the IBAN that starts there, without spaces, and where it ends; an empty one if there is none."""
    none = "", start
    length = IBAN_LENGTHS.get(text[start : start + 2].upper())
    match = _IBAN_OF_LENGTH[length].match(text, start) if length else None
    if not match:
        return none
    iban = "".join(match[0].split())
    digits = sum(map(str.isdecimal, iban[4:]))
    if len(match[0]) > len(iban) and digits * 2 < len(iban) - 4:
        return none
    # int() with base 36 reads letters as the standard does, A is 10, and digits of every script.
    number = "".join(str(int(char, 36)) for char in iban[4:] + iban[:4])
    return (iban, match.end()) if int(number) % 97 == 1 else none


def _mask_emails(text: str) -> str:
    """Replace email addresses by •••@•••: that there was one, and nothing of it.

    The part before the @ often is a name, and the domain an employer, a school or a family; the agent needs neither. An
    address has a domain with a dot and a top level of letters. What touches it without a space goes with it, as in
    `mail=ann@example.com`: rather too much than half a name. Letters are those of scripts that put spaces between
    words, so that a Chinese sentence around an address stays.

    Source: RFC 5321 §4.1.2 and RFC 6531 §3.3, without quoted local parts and address literals, which nobody types.
    """
    pieces: list[str] = []
    kept = 0
    at = text.find("@")
    while at != -1:
        start = at
        while start > kept and (_is_letter(text[start - 1]) or text[start - 1] in ".!#$%&'*+-/=?^_`{|}~"):
            start -= 1
        while start < at and not _is_letter(text[start]) and text[start] != "_":
            start += 1
        end = at + 1
        while end < len(text) and (_is_letter(text[end]) or text[end] in ".-"):
            end += 1
        while text[end - 1] in ".-":
            end -= 1
        if start < at and _is_domain(text[at + 1 : end]):
            pieces += text[kept:start], _EMAIL_MASK
            kept = end
        at = text.find("@", end)
    return _joined(pieces, text, kept)


def _is_letter(char: str) -> bool:
    """Return whether it is a letter or digit of a script up to Armenian, or an accent on one."""
    return (char < "\u0590" and char.isalnum()) or "\u0300" <= char <= "\u036f" or "\u1e00" <= char <= "\u1eff"


def _is_domain(text: str) -> bool:
    host, *labels = text.split(".")
    return host != "" and any((len(label) > 1 and label.isalpha()) or label.startswith("xn--") for label in labels)


def _joined(pieces: list[str], text: str, kept: int) -> str:
    """Return the pieces with the rest of the text, or the text itself if there are none."""
    return "".join((*pieces, text[kept:])) if pieces else text


class _Match(Protocol):
    def span(self) -> tuple[int, int]: ...


class _Regex(Protocol):
    """What is used of a pattern compiled by RE2: it takes bytes, and its positions are bytes."""

    def finditer(self, text: bytes, pos: int, endpos: int) -> Iterator[_Match]: ...

    def fullmatch(self, text: bytes, pos: int, endpos: int) -> _Match | None: ...


def _own_pattern(pattern: str) -> Callable[[str], str]:
    """Return the step that masks what one of the owner's patterns matches.

    Raises:
        ConfigError: See `Masker`.
    """
    regex = _compile(pattern)

    def mask_matches(text: str) -> str:
        # In bytes, because RE2's Python layer would encode the text anew for each search, and unpaired surrogates not
        # at all. RE2 matches whole characters, so every cut is between two.
        data = text.encode("utf-8", "surrogatepass")
        pieces: list[bytes] = []
        kept = 0
        for start, end in _between_masks(data):
            for match in regex.finditer(data, start, end):
                first, last = match.span()
                pieces += data[kept:first], MASK.encode()
                kept = last
                if len(pieces) > 2 * MOST_MATCHES:
                    return MASK
        return b"".join((*pieces, data[kept:])).decode("utf-8", "surrogatepass") if pieces else text

    return mask_matches


def _between_masks(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield start and end of what is not a mask; patterns see what is around it, but don't reach there."""
    start = 0
    while start < len(data):
        end = data.find(_MASK_CHAR, start)
        if end == -1:
            end = len(data)
        if end > start:
            yield start, end
        start = end + len(_MASK_CHAR)


def _compile(pattern: str) -> _Regex:
    try:
        import re2  # type: ignore[import-untyped]  # a wheel of its own, for those who have patterns
    except ImportError:
        raise ConfigError(
            "mask_patterns needs google-re2, which is not installed. Run `pip install google-re2`, or remove "
            "the patterns."
        ) from None
    options = re2.Options()
    options.log_errors = False  # it would write to stderr by itself
    options.never_capture = True
    try:
        regex: _Regex = re2.compile(pattern, options)
    except re2.error as error:
        problem = error.args[0].decode("utf-8", "replace")
        raise ConfigError(
            f"mask_patterns: RE2 does not take {pattern!r}: {problem}. Write it without back-references and look-around"
            "; https://github.com/google/re2/wiki/Syntax lists what there is."
        ) from None
    except UnicodeEncodeError:
        raise ConfigError(f"mask_patterns: {pattern!r} is not valid UTF-8. Correct the settings file.") from None
    if r"\C" in pattern.replace(r"\\", ""):
        raise ConfigError(rf"mask_patterns: {pattern!r} has \C, which is half a character. Use `.` or (?s:.) instead.")
    # What an assertion (^, $, \b, \B) sees is the character on either side: none, a line break, a word's or another.
    # All pairs of them are tried, so a pattern that passes matches the empty text nowhere.
    for before, after in product((b"", b"\n", b"a", b" "), repeat=2):
        if regex.fullmatch(before + after, len(before), len(before)):
            raise ConfigError(
                f"mask_patterns: {pattern!r} matches the empty text, which is everywhere. Make it need one character "
                "at least, for example + instead of *."
            )
    return regex


# In the order in which they are applied.
BUILT_INS: dict[str, Callable[[str], str]] = {"iban": _mask_ibans, "card": _mask_cards, "email": _mask_emails}
"""The built-in steps by their names in the settings."""
