"""What is masked, what is left, and that neither takes long: hostile texts, counted steps, properties."""

from __future__ import annotations

import random
import re
import sys
from itertools import product
from types import FrameType

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from guestwire.errors import ConfigError
from guestwire.gateway import masking
from guestwire.gateway.masking import BUILT_INS, IBAN_LENGTHS, MASK, MOST_MATCHES, MOST_ROUNDS, Masker

CARDS = Masker(mask=("card",))
IBANS = Masker(mask=("iban",))
ALL = Masker(mask=("card", "iban", "email"))
# Patterns that match much, at borders, by context, in alternatives; and one that RE2 can't do in linear time for all.
PATTERNS = (r"(?i)\bpin\W*\S+", r"\b\d{4}", r".{5}$", r"[^a-y\s]{3}", r"(?s)a.*b|a", r"\B-\b")
EVERYTHING = Masker(mask=tuple(BUILT_INS), mask_patterns=PATTERNS)

# Test numbers of the payment networks: Visa, Mastercard, American Express, Diners, Discover, JCB, UnionPay, Maestro.
CARD_NUMBERS = [
    "4111111111111111",
    "4222222222222",
    "5555555555554444",
    "2223003122003222",
    "378282246310005",
    "30569309025904",
    "6011111111111117",
    "3530111333300000",
    "6200000000000000000",
]

# The examples of the registry (ISO 13616), those with letters first.
IBAN_NUMBERS = [
    "MT84MALT011000012345MTLCAST001S",
    "FR1420041010050500013M02606",
    "GB29NWBK60161331926819",
    "BR1800360305000010009795493C1",
    "SC18SSCB11010000000000001497USD",
    "MU17BOMM0101101030300200000MUR",
    "LC55HEMM000100010012001200023015",
    "KW81CBKU0000000000001234560101",
    "GT82TRAJ01020000001210029690",
    "KZ86125KZT5004100100",
    "NL91ABNA0417164300",
    "DE89370400440532013000",
    "NO9386011117947",
    "BE68539007547034",
    "CH9300762011623852957",
    "AT611904300234573201",
]

SEPARATORS = [" ", "-", ".", "\u00a0", "\u202f", "\u2009", "\u3000", "\u2010", "\u2011", "\u2013", "\u2212", "\uff0d"]


def in_groups(number: str, sizes: list[int], separator: str) -> str:
    groups = []
    for size in sizes:
        groups.append(number[:size])
        number = number[size:]
    return separator.join(group for group in (*groups, number) if group)


def has_luhn(digits: str) -> bool:
    """The textbook's way, digit by digit from the right."""
    total = 0
    for i, digit in enumerate(reversed([int(d) for d in digits])):
        doubled = digit * 2 if i % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def has_card(text: str) -> bool:
    """Whether any whole groups of digits, one separator apart, are a card number; tried one by one."""
    groups = list(re.finditer(r"\d+", text))
    for i, first in enumerate(groups):
        number = ""
        end = first.start()
        for group in groups[i:]:
            gap = text[end : group.start()]
            if number and (len(gap) != 1 or (gap not in SEPARATORS)):
                break
            number += group.group()
            end = group.end()
            if len(number) > 19:
                break
            if len(number) >= 13 and number.strip("0") and has_luhn(number):
                return True
    return False


def with_check_digit(digits: str) -> str:
    return next(digits + last for last in "0123456789" if has_luhn(digits + last))


# --- nothing to do ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "hello", "4111 1111 1111 1111", "\ud800"])
def test_without_settings_nothing_happens(text: str) -> None:
    assert Masker().apply(text) is text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Hello, I need help with order 4711.",
        "•••• 1111",
        "tab\tline\nnul\x00bell\x07",
        "\ud800 \udc00 \ud83d\ude00",
        "👩‍👩‍👧 مرحبا שלום 你好",
        "@",
        "a@",
        "@b.example",
        "-@b.example",
        "meet @ 5.30",
        "ann@host",
        "2@1.50",
        "ann@.example",
    ],
)
def test_text_without_finds_is_the_same_object(text: str) -> None:
    assert ALL.apply(text) is text


# --- cards ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", CARD_NUMBERS)
def test_card_in_any_grouping(number: str) -> None:
    for sizes, separator in product([[4, 4, 4, 4, 4], [4, 6, 5], [6, 13], [1] * 19], ["", *SEPARATORS]):
        text = f"my card is {in_groups(number, sizes, separator)}, thanks"
        assert CARDS.apply(text) == f"my card is •••• {number[-4:]}, thanks"


@pytest.mark.parametrize(
    "text, expected",
    [
        ("4111 1111 1111 1111 12/27 123", "•••• 1111 12/27 123"),
        ("order 12 4111-1111-1111-1111", "order 12 •••• 1111"),
        ("12 4111-1111-1111-1111 35", "12 •••• 1111 35"),
        ("Visa4111111111111111exp1227", "Visa•••• 1111exp1227"),
        ("4111111111111111\n5555555555554444", "•••• 1111\n•••• 4444"),
        ("4111111111111111, 5555555555554444", "•••• 1111, •••• 4444"),
        ("4111111111111111.", "•••• 1111."),
        ("4111 1111-1111.1111", "•••• 1111"),
    ],
)
def test_card_among_other_text(text: str, expected: str) -> None:
    assert CARDS.apply(text) == expected


@pytest.mark.parametrize(
    "digits", ["٤١١١١١١١١١١١١١١١", "４１１１１１１１１１１１１１１１", "४१११११११११११११११"]
)  # Arabic-Indic, fullwidth, Devanagari
def test_card_in_digits_of_other_scripts(digits: str) -> None:
    assert CARDS.apply(f"<{digits}>") == f"<•••• {digits[-4:]}>"


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112",  # the check digit is wrong
        "+49 1511 1234567",
        "order 2024000000017",
        "0000 0000 0000 0000",
        "0000000000000",
        "411111111111",  # 12 digits
        "4111  1111  1111  1111",  # two spaces
        "4111\n1111\n1111\n1111",
        "4111/1111/1111/1111",
        "99994111111111111111",  # a number of 20 digits is no card with something before it
        "1" * 4096,
    ],
)
def test_no_card(text: str) -> None:
    assert CARDS.apply(text) is text


def test_overlapping_cards_show_four_digits_of_all() -> None:
    """A span of other groups that happens to be valid must not uncover what is in the middle of the card."""
    text = "14 4111 1111 1111 1111"
    assert has_luhn("14411111111111")
    assert has_luhn("4111111111111111")
    assert CARDS.apply(text) == "•••• 1111"


def test_digits_that_a_mask_leaves_are_looked_at_again() -> None:
    """The last four of one card and what follows it must not be a card in the result."""
    tail = with_check_digit("1111" + "12345678")[4:]
    assert CARDS.apply(f"4111111111111111 {tail}") == f"•••• •••• {tail[-4:]}"


def test_a_text_that_never_settles_is_masked_whole() -> None:
    text = "4111111111111111"
    for _ in range(MOST_ROUNDS):
        text += " " + with_check_digit(text[-4:] + "12345678")[4:]
    assert CARDS.apply(text) == MASK
    assert CARDS.apply(MASK) == MASK


# --- IBANs ------------------------------------------------------------------------------------------------------------


def test_the_registry_has_89_countries_of_15_to_34_characters() -> None:
    assert len(IBAN_LENGTHS) == 89
    assert all(15 <= length <= 34 for length in IBAN_LENGTHS.values())


@pytest.mark.parametrize("iban", IBAN_NUMBERS)
def test_iban(iban: str) -> None:
    for separator in ("", " ", "\u00a0", "\u202f"):
        text = in_groups(iban, [4] * 9, separator)
        assert IBANS.apply(f"IBAN: {text}, please") == f"IBAN: {iban[:2]}•••• {iban[-4:]}, please"
        assert IBANS.apply(text.lower()) == f"{iban[:2]}•••• {iban[-4:]}".lower()


@pytest.mark.parametrize(
    "text, expected",
    [
        ("IBANDE89370400440532013000", "IBANDE•••• 3000"),
        ("DE89 3704 0044 0532 0130 00 is mine", "DE•••• 3000 is mine"),
        ("DE89370400440532013000BIC", "DE•••• 3000BIC"),
        ("DE89 DE89 3704 0044 0532 0130 00", "DE89 DE•••• 3000"),
        ("DE89 370400440 532 013000", "DE•••• 3000"),
        ("DE٨٩٣٧٠٤٠٠٤٤٠٥٣٢٠١٣٠٠٠", "DE•••• ٣٠٠٠"),
    ],
)
def test_iban_among_other_text(text: str, expected: str) -> None:
    assert IBANS.apply(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "DE88370400440532013000",  # check digits
        "DE8937040044053201300",  # too short
        "DE893704004405320130001",  # goes on
        "US89370400440532013000",  # not in the registry
        "DE89  3704 0044 0532 0130 00",  # two spaces
        "DE89-3704-0044-0532-0130-00",
        "D E89370400440532013000",
        "DE89",
        "DE89 ",
    ],
)
def test_no_iban(text: str) -> None:
    assert IBANS.apply(text) is text


def test_words_with_a_valid_check_number_are_no_iban() -> None:
    """Prose has the form of an IBAN often enough; with spaces and few digits it is none."""
    words = "we both went to town"
    bban = words.replace(" ", "")
    check = next(f"{n:02}" for n in range(100) if _is_mod_97(f"AT{n:02}{bban}"))
    assert len(f"at{check}{bban}") == IBAN_LENGTHS["AT"]
    text = f"at {check} {words}"
    assert IBANS.apply(text) is text
    assert IBANS.apply(f"at{check}{bban}") == "at•••• town"


def _is_mod_97(iban: str) -> bool:
    return int("".join(str(int(char, 36)) for char in iban[4:] + iban[:4])) % 97 == 1


def test_iban_and_card_do_not_meet() -> None:
    """An IBAN's digits are not taken for a card."""
    assert ALL.apply("NO93 8601 1117 947 / 4111111111111111") == "NO•••• 7947 / •••• 1111"


# --- email addresses --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, expected",
    [
        ("ann@example.com", "•••@•••"),
        ("write to ann.o'brien+x@mail.example.co.uk.", "write to •••@•••."),
        ("(ann@example.com)", "(•••@•••)"),
        ("<mailto:ann@example.com>", "<mailto:•••@•••>"),
        ("'ann@example.com'", "'•••@•••'"),
        ("_ann_@example.com...", "•••@•••..."),
        ("mail=ann@example.com", "•••@•••"),
        ("ann@example.com.I wait", "•••@••• wait"),
        ("jürgen@bücher.example", "•••@•••"),
        ("ju\u0308rgen@example.com", "•••@•••"),
        ("иван@почта.рф", "•••@•••"),
        ("ann@xn--bcher-kva.xn--p1ai", "•••@•••"),
        ("我的邮箱是ann@example.com谢谢", "我的邮箱是•••@•••谢谢"),
        ("a@b.example@c.example", "•••@•••@c.example"),
        ("a@a@b.example", "a@•••@•••"),
        ("ann@example.com,bob@example.com", "•••@•••,•••@•••"),
        ("4111111111111111@example.com", "•••• •••@•••"),
    ],
)
def test_email(text: str, expected: str) -> None:
    assert ALL.apply(text) == expected


# --- the owner's patterns ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pattern, text, expected",
    [
        (r"KD-\d+", "my number is KD-12345, yes", "my number is •••, yes"),
        (r"(?i)pin\W*(\d{4})", "PIN: 1234", "•••"),
        (r"straße \pN+", "in der straße ٤٢.", "in der •••."),
        (r"😀", "a😀b\ud800😀", "a•••b\ud800•••"),
        (r".", "a\nb", "•••\n•••"),
        (r"[^x]", "\ud800x", "•••x"),
        (r"(?m)^b$", "a\nb\nb c", "a\n•••\nb c"),
        (r"\x00", "a\x00b", "a•••b"),
        (r"\\C", r"a\C", "a•••"),
    ],
)
def test_own_pattern(pattern: str, text: str, expected: str) -> None:
    assert Masker(mask_patterns=(pattern,)).apply(text) == expected


def test_own_patterns_come_after_the_built_ins() -> None:
    """A pattern for a part of a card does not keep the card from being found."""
    masker = Masker(mask=("card",), mask_patterns=(r"\b\d{6}\b",))
    assert masker.apply("3782 822463 10005 and 123456") == "•••• 0005 and •••"


def test_own_pattern_does_not_reach_over_a_mask() -> None:
    assert Masker(mask_patterns=(r"a.*c", "b")).apply("a•c b") == "a•c •••"


def test_own_pattern_is_tried_again_on_what_is_left() -> None:
    """Without an end a pattern goes on behind its own mask, for masking again must change nothing."""
    assert Masker(mask_patterns=(r"\b\d{4}",)).apply("1234567890") == "••••••90"
    assert Masker(mask_patterns=(r"\b\d{4}\b",)).apply("1234567890") == "1234567890"


def test_too_many_matches_mask_the_whole_text() -> None:
    masker = Masker(mask_patterns=("x",))
    assert masker.apply("xy" * MOST_MATCHES) == (MASK + "y") * MOST_MATCHES
    assert masker.apply("xy" * (MOST_MATCHES + 1)) == MASK


@pytest.mark.parametrize(
    "pattern, problem",
    [
        (r"(a)\1", "invalid escape sequence: \\1"),
        (r"(?=a)b", "invalid perl operator: (?="),
        (r"(?<!a)b", "invalid perl operator: (?<!"),
        (r"é(", "missing ): é("),
        (r"[a", "missing ]: [a"),
        (r"a{5000}", "invalid repetition size"),
        ("\ud800", "not valid UTF-8"),
        (r"a\C", r"has \C"),
        (r"\\\C", r"has \C"),
    ],
)
def test_pattern_that_re2_does_not_take(pattern: str, problem: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        Masker(mask_patterns=("fine", pattern))
    assert "mask_patterns" in str(caught.value)
    assert repr(pattern) in str(caught.value)
    assert problem in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "pattern", ["", "x*", "^", "$", r"\b", r"\B", "(?m)^", "(?m)$", "(?m)^$", r"a|\b", r"(?m)(?:^|x)\b", "a?b?", "()"]
)
def test_pattern_that_matches_nothing_at_all(pattern: str) -> None:
    with pytest.raises(ConfigError, match="matches the empty text") as caught:
        Masker(mask_patterns=(pattern,))
    assert repr(pattern) in str(caught.value)


@pytest.mark.parametrize("name", ["phone", "CARD", ""])
def test_unknown_built_in(name: str) -> None:
    with pytest.raises(ConfigError, match="mask knows iban, card, email") as caught:
        Masker(mask=("card", name))
    assert repr(name) in str(caught.value)


def test_without_re2(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only who has patterns needs the wheel, and is told its name."""
    monkeypatch.setitem(sys.modules, "re2", None)
    assert Masker(mask=("card",)).apply("4111111111111111") == "•••• 1111"
    with pytest.raises(ConfigError, match="pip install google-re2"):
        Masker(mask_patterns=("x",))


# --- properties -------------------------------------------------------------------------------------------------------

# Made of what masks look at, so that examples are more than noise.
HOSTILE_PIECES = (
    *("0", "1", "4", "9", "11", "4111", "4111111111111111", "٤", "DE89", "de", "NO93 8601 1117 947", "3704 0044"),
    *("a", "b", "z", "ß", "@", "a@", "@b.example", ".", "-", "_", " ", "  ", "\u00a0", "\n", "\x00", "•", "•••• "),
    *("\ud800", "\udc00", "😀", "\u0301", "pin ", "中"),
)
HOSTILE = st.lists(st.sampled_from(HOSTILE_PIECES), max_size=60).map("".join)
TEXTS = st.text(st.characters(exclude_categories=[]), max_size=60) | HOSTILE


@given(TEXTS)
@pytest.mark.parametrize("masker", [ALL, CARDS, EVERYTHING])
def test_masking_twice_is_masking_once(masker: Masker, text: str) -> None:
    once = masker.apply(text)
    assert masker.apply(once) is once


@given(TEXTS)
def test_no_card_is_left(text: str) -> None:
    masked = CARDS.apply(text)
    assert not has_card(masked)
    if masked is not text:
        assert "••••" in masked


NEIGHBOURS = st.text(st.characters(exclude_categories=["Nd"]), max_size=20)  # codespell:ignore nd
GROUPINGS = st.sampled_from([[19], [4, 4, 4, 4, 4], [4, 6, 5], [4, 6, 4], [6, 13], [4, 3, 3, 3], [8, 8]])


@given(
    st.text("0123456789", min_size=12, max_size=18).map(with_check_digit),
    GROUPINGS,
    st.sampled_from(["", *SEPARATORS]),
    NEIGHBOURS,
    NEIGHBOURS,
)
def test_every_card_is_masked(number: str, sizes: list[int], separator: str, before: str, after: str) -> None:
    assume(number.strip("0"))
    assert CARDS.apply(before + in_groups(number, sizes, separator) + after) == f"{before}•••• {number[-4:]}{after}"


@given(st.lists(st.text("0123456789", min_size=1, max_size=6), max_size=9), st.sampled_from(SEPARATORS))
def test_cards_are_found_exactly_where_there_are_some(groups: list[str], separator: str) -> None:
    """Against a search that tries everything."""
    text = separator.join(groups)
    assert (CARDS.apply(text) is not text) == has_card(text)


@given(
    st.sampled_from(sorted(IBAN_LENGTHS)),
    st.text("0123456789", min_size=29, max_size=29),
    st.sampled_from(["", " "]),
    NEIGHBOURS,
)
def test_every_iban_is_masked(country: str, digits: str, separator: str, before: str) -> None:
    bban = digits[: IBAN_LENGTHS[country] - 4]
    rest = int("".join(str(int(char, 36)) for char in f"{bban}{country}00")) % 97
    iban = f"{country}{98 - rest:02}{bban}"
    text = f"{before}:{in_groups(iban, [4] * 9, separator)}"
    assert IBANS.apply(text) == f"{before}:{country}•••• {iban[-4:]}"


# --- how long it takes ------------------------------------------------------------------------------------------------

SHAPES = [
    *("1", "4", "0", "1 ", "1-", "1.1 ", "41", "4111 ", "4111 1111 1111 111", "1 11 111 1111 ", "١", "9 - "),
    *("a@", "@", "a@a.", "a.", "a-", "-@", "a@b.cc ", "_", "@.", ".a@", "a" * 63 + "@", "é@é."),
    *("DE89", "D", "DE", "DE89 ", "D E 8 9 ", "LC55HEMM", "NO93 8601 1117 947 ", "RU10" + "1" * 28 + " "),
    *("4111111111111111 ", "4111111111111111 1234 56789 ", "•", "•1", "•a", "••• 1111 ", "\x00", "\ud800", "😀"),
]


class LineCounter:
    """Counts the lines of masking.py that run."""

    def __init__(self) -> None:
        self.count = 0

    def _trace(self, frame: FrameType, event: str, _arg: object) -> LineCounter | None:
        if frame.f_code.co_filename != masking.__file__:
            return None
        self.count += event == "line"
        return self

    __call__ = _trace


def steps(masker: Masker, text: str) -> int:
    counter = LineCounter()
    before = sys.gettrace()
    sys.settrace(counter)
    try:
        masker.apply(text)
    finally:
        sys.settrace(before)
    return counter.count


@pytest.mark.parametrize("shape", SHAPES)
def test_steps_grow_with_the_text_and_not_with_its_square(shape: str) -> None:
    """Twice the text takes twice the steps of our own code, four times would be the square; and few for each character.

    The allowance is for the places at a text's end, where there is less to look at.
    """
    short, long = (shape * (size // len(shape)) for size in (512, 1024))
    first, then = steps(ALL, short), steps(ALL, long)
    assert then <= 2.1 * first + 500
    assert then <= 100 * len(long)


def test_hostile_texts_end_quickly_and_stay_masked() -> None:
    """A thousand texts made of what is hard, and each kind at full length; what is not linear would hit the timeout."""
    source = random.Random(13616)
    for _ in range(1_000):
        pieces = source.choices(SHAPES + list(HOSTILE_PIECES), k=source.randint(1, 4))
        masked = EVERYTHING.apply("".join(source.choices(pieces, k=source.randint(1, 20)))[:60])
        assert EVERYTHING.apply(masked) is masked
        assert not has_card(masked)
    for shape in SHAPES:
        masked = ALL.apply(shape * (4096 // len(shape.encode("utf-8", "surrogatepass"))))
        assert ALL.apply(masked) is masked


def test_patterns_run_on_re2() -> None:
    """The pattern that takes the standard library 2⁴⁰ steps."""
    text = "a" * 40 + "!"
    assert Masker(mask_patterns=(r"(a+)+$",)).apply(text) is text
