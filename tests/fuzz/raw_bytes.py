"""What a hostile or broken peer may write to a WebSocket server: a seeded generator of bytes (RFC 6455 §4, §5, §7)."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
MAX_FRAME_BYTES = 65_536
TEXTS = ("", "a", '{"type":"message","text":"Grüße 👋"}', "x" * 125, "y" * 126, "z" * 400, "é" * 63)
BAD_UTF8 = (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"ok\xe2\x82", b"\x80")
REQUEST = (
    b"GET /ws?token=x HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)

NOT_FATAL = {
    "wrong_binary",  # our shell closes politely (1003) and awaits the answer
    "wrong_half_a_frame",  # the server can't know yet
    "wrong_length_of_what_follows",  # same
    "wrong_length_encoding",  # overlooked, as RFC 6455 allows
}


@dataclass(frozen=True)
class Attack:
    """What one connection writes.

    Attributes:
        kind: What is wrong with it.
        handshake: Written first.
        is_upgrade: The handshake is good: the server must answer 101, and is given the time to.
        frames: Written then; each piece is a whole frame or what stands for one.
        ends_itself: The server must close after this by itself; otherwise we close, and it must notice.
    """

    kind: str
    handshake: bytes
    is_upgrade: bool
    frames: list[bytes]
    ends_itself: bool


class Attacker:
    """Makes attacks, the same ones for the same seed, and counts their kinds."""

    def __init__(self, rng: Random) -> None:
        self.kinds: Counter[str] = Counter()
        self._rng = rng
        self._masks = [rng.randbytes(4) for _ in range(16)]
        self._handshakes: list[Callable[[], bytes]] = [
            getattr(self, name) for name in dir(self) if name.startswith("handshake_")
        ]
        self._wrongs: list[Callable[[], list[bytes]]] = [
            getattr(self, name) for name in dir(self) if name.startswith("wrong_")
        ]

    def attack(self) -> Attack:
        """Return the next one; four in five get beyond the handshake, and nine in ten of these misbehave then."""
        chance = self._rng.random()
        if chance < 0.2:
            broken = self._rng.choice(self._handshakes)
            return self._named(Attack(broken.__name__, broken(), False, [], False))
        good = self._good_frames(self._rng.randrange(80))
        if chance < 0.28:
            return self._named(Attack("good", REQUEST, True, [*good, frame(CLOSE, b"\x03\xe8", self._mask())], True))
        if chance < 0.36:
            return self._named(Attack("mutated", REQUEST, True, self._mutated(good), False))
        if chance < 0.40:
            return self._named(Attack("impatient", REQUEST + b"".join(good), False, [], False))
        wrong = self._rng.choice(self._wrongs)
        name = wrong.__name__
        return self._named(Attack(name, REQUEST, True, [*good, *wrong(), *self._good_frames(2)], name not in NOT_FATAL))

    def _named(self, attack: Attack) -> Attack:
        self.kinds[attack.kind] += 1
        return attack

    def _mask(self) -> bytes:
        return self._rng.choice(self._masks)

    def _good_frames(self, count: int) -> list[bytes]:
        frames: list[bytes] = []
        while len(frames) < count:
            chance = self._rng.random()
            text = self._rng.choice(TEXTS).encode()
            if chance < 0.7:
                frames.append(frame(TEXT, text, self._mask()))
            elif chance < 0.8:
                frames.append(frame(self._rng.choice((PING, PONG)), text[:125], self._mask()))
            elif chance < 0.81:
                frames.append(frame(TEXT, b"m" * self._rng.choice((65_535, MAX_FRAME_BYTES)), self._mask()))
            else:
                cut = self._rng.randrange(len(text) + 1)  # in the middle of a character, too
                frames.append(frame(TEXT, text[:cut], self._mask(), fin=False))
                if self._rng.random() < 0.5:
                    frames.append(frame(PING, b"between", self._mask()))
                frames.append(frame(CONTINUATION, text[cut:], self._mask()))
        return frames

    def _mutated(self, frames: list[bytes]) -> list[bytes]:
        def mutate(data: bytes) -> bytes:
            changed = bytearray(data)
            for _ in range(self._rng.randint(1, 3)):
                at = self._rng.randrange(min(len(changed), 16))
                match self._rng.randrange(4):
                    case 0:
                        changed[at] ^= 1 << self._rng.randrange(8)
                    case 1:
                        changed[at] = self._rng.randrange(256)
                    case 2 if len(changed) > 1:
                        del changed[at]
                    case _:
                        changed[at:at] = self._rng.randbytes(self._rng.randint(1, 4))
            return bytes(changed)

        return [mutate(each) if self._rng.random() < 0.2 else each for each in frames]

    # --- handshakes that are none ------------------------------------------------------------------------------------

    def handshake_random(self) -> bytes:
        return self._rng.randbytes(self._rng.randint(1, 3000))

    def handshake_truncated(self) -> bytes:
        return REQUEST[: self._rng.randrange(len(REQUEST))]

    def handshake_mutated(self) -> bytes:
        changed = bytearray(REQUEST)
        for _ in range(self._rng.randint(1, 6)):
            changed[self._rng.randrange(len(changed))] = self._rng.randrange(256)
        return bytes(changed)

    def handshake_without_a_line(self) -> bytes:
        lines = REQUEST.split(b"\r\n")
        del lines[self._rng.randrange(len(lines) - 2)]
        return b"\r\n".join(lines)

    def handshake_with_a_line_twice(self) -> bytes:
        lines = REQUEST.split(b"\r\n")
        at = self._rng.randrange(len(lines) - 2)
        return b"\r\n".join([*lines[: at + 1], *lines[at:]])

    def handshake_other_key(self) -> bytes:
        key = self._rng.choice((b"", b"x", b"\xff" * 24, b"=" * 24, b"QUJD", b"A" * 5000))
        return REQUEST.replace(b"dGhlIHNhbXBsZSBub25jZQ==", key)

    def handshake_other_words(self) -> bytes:
        return self._rng.choice(
            (
                REQUEST.replace(b"GET", b"POST"),
                REQUEST.replace(b"HTTP/1.1", b"HTTP/1.0"),
                REQUEST.replace(b"HTTP/1.1", b"HTTP/9.9"),
                REQUEST.replace(b"Version: 13", b"Version: 8"),
                REQUEST.replace(b"Version: 13", b"Version: 13, 13"),
                REQUEST.replace(b"Upgrade: websocket", b"Upgrade: h2c"),
                REQUEST.replace(b"\r\n", b"\n"),
                REQUEST.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\nhello"),
                REQUEST.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n"),
                REQUEST.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate; x=\xff\r\n\r\n"),
                REQUEST.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: ,,;\x00\r\n\r\n"),
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # the start of a TLS hello
            )
        )

    def handshake_huge(self) -> bytes:
        size = self._rng.choice((8_000, 70_000, 300_000))
        return self._rng.choice(
            (
                REQUEST.replace(b"token=x", b"token=" + b"t" * size),
                REQUEST.replace(b"\r\n\r\n", b"\r\nX-Long: " + b"h" * size + b"\r\n\r\n"),
                REQUEST.replace(b"\r\n\r\n", b"\r\n" + b"X-Many: 1\r\n" * (size // 11) + b"\r\n"),
            )
        )

    def handshake_other_path(self) -> bytes:
        path = self._rng.choice(
            (b"/nope", b"/ws/../../etc", b"/%00%ff", b"*", b"http://x:y@[::1/ws", b"/\xc3\xa9", b"//")
        )
        return REQUEST.replace(b"/ws?token=x", path)

    # --- frames that are none: the server must close, unless `attack` says otherwise ---------------------------------

    def wrong_no_mask(self) -> list[bytes]:
        return [frame(TEXT, b"bare", None)]

    def wrong_reserved_bits(self) -> list[bytes]:
        return [frame(TEXT, b"rsv", self._mask(), reserved=self._rng.randint(1, 7))]

    def wrong_opcode(self) -> list[bytes]:
        return [frame(self._rng.choice((3, 4, 5, 6, 7, 11, 12, 13, 14, 15)), b"op", self._mask())]

    def wrong_long_control(self) -> list[bytes]:
        return [frame(self._rng.choice((PING, PONG, CLOSE)), b"\x03\xe8" + b"c" * 200, self._mask())]

    def wrong_split_control(self) -> list[bytes]:
        return [frame(self._rng.choice((PING, PONG, CLOSE)), b"\x03\xe8", self._mask(), fin=False)]

    def wrong_continuation(self) -> list[bytes]:
        return [frame(CONTINUATION, b"of nothing", self._mask(), fin=self._rng.random() < 0.5)]

    def wrong_start_in_the_middle(self) -> list[bytes]:
        return [frame(TEXT, b"one", self._mask(), fin=False), frame(TEXT, b"two", self._mask())]

    def wrong_utf8(self) -> list[bytes]:
        bad = self._rng.choice(BAD_UTF8)
        if self._rng.random() < 0.5:
            return [frame(TEXT, bad, self._mask())]
        return [frame(TEXT, b"begun", self._mask(), fin=False), frame(CONTINUATION, bad, self._mask())]

    def wrong_binary(self) -> list[bytes]:
        return [frame(BINARY, self._rng.randbytes(50), self._mask())]

    def wrong_size(self) -> list[bytes]:
        return [frame(TEXT, b"l" * (MAX_FRAME_BYTES + self._rng.choice((1, 1000, 200_000))), self._mask())]

    def wrong_size_in_fragments(self) -> list[bytes]:
        part = b"f" * 9_000
        return [frame(TEXT, part, self._mask(), fin=False)] + [
            frame(CONTINUATION, part, self._mask(), fin=False) for _ in range(8)
        ]

    def wrong_announced_size(self) -> list[bytes]:
        size = self._rng.choice((MAX_FRAME_BYTES + 1, 2**31, 2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1))
        return [struct.pack("!BBQ", 0x80 | TEXT, 0x80 | 127, size) + self._mask() + b"little"]

    def wrong_length_of_what_follows(self) -> list[bytes]:
        return [struct.pack("!BBH", 0x80 | TEXT, 0x80 | 126, 60_000) + self._mask() + b"little"]

    def wrong_length_encoding(self) -> list[bytes]:
        """Not the shortest form (RFC 6455 §5.2 forbids it to senders; servers may overlook it)."""
        return [struct.pack("!BBQ", 0x80 | TEXT, 0x80 | 127, 5) + bytes(4) + b"short"]

    def wrong_half_a_frame(self) -> list[bytes]:
        whole = frame(TEXT, b"h" * self._rng.choice((3, 130, 66_000)), self._mask())
        return [whole[: self._rng.randrange(1, min(len(whole), 200))]]

    def wrong_close(self) -> list[bytes]:
        payload = self._rng.choice(
            (b"\x03", b"\x00\x00", b"\x03\xe7", b"\x03\xed", b"\x03\xee", b"\x13\x88", b"\xff\xff", b"\x03\xe8\xff\xfe")
        )
        return [frame(CLOSE, payload, self._mask())]

    def wrong_talk_after_close(self) -> list[bytes]:
        return [frame(CLOSE, b"\x03\xe8", self._mask()), *self._good_frames(20), frame(CLOSE, b"", self._mask())]

    def wrong_random(self) -> list[bytes]:
        # An opcode that is none, so that the server has a reason to close whatever follows.
        return [b"\xff" + self._rng.randbytes(self._rng.randint(1, 2000))]


def frame(opcode: int, payload: bytes, mask: bytes | None, *, fin: bool = True, reserved: int = 0) -> bytes:
    """Encode one frame; `mask` None leaves the mask out, which a client must not."""
    first = (0x80 if fin else 0) | (reserved << 4) | opcode
    is_masked = 0x80 if mask is not None else 0
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", first, is_masked | size)
    elif size < 65_536:
        head = struct.pack("!BBH", first, is_masked | 126, size)
    else:
        head = struct.pack("!BBQ", first, is_masked | 127, size)
    if mask is None:
        return head + payload
    key = (mask * (size // 4 + 1))[:size]
    return head + mask + (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(size)
