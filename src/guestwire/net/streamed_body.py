"""A streamed request body on its way: it is pulled as fast as the peer takes it, and a peer that takes none is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from guestwire.errors import LocalProtocolError
from guestwire.model.http import Stream

__all__ = ["StreamedBody"]


class StreamedBody:
    """The chunks of one `Stream`, and what became of them.

    Attributes:
        failure: What the stream raised, or what is wrong with its size; None while all is well.
    """

    def __init__(self, stream: Stream, *, silence_s: float) -> None:
        """Take the stream, and the seconds that a peer may take nothing."""
        self.failure: Exception | None = None
        self._stream = stream
        self._silence_s = silence_s
        self._limit = asyncio.timeout(None)

    @property
    def limit(self) -> asyncio.Timeout:
        """The context to send in: it raises `TimeoutError` when the peer is silent for too long."""
        return self._limit

    @property
    def headers(self) -> dict[str, str]:
        """The length, so that the body goes out as it is and not in HTTP's chunks, which upload hosts refuse."""
        return {"content-length": str(self._stream.size)}

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give out the chunks; only while the peer has one does its time run.

        The last one is held back until the size is known to be right, so that no peer takes a wrong body for whole.
        """
        loop = asyncio.get_running_loop()
        size = self._stream.size
        seen, held = 0, b""
        try:
            async for chunk in self._stream.chunks:
                seen += len(chunk)
                if seen > size:
                    break
                if held:
                    self._limit.reschedule(loop.time() + self._silence_s)
                    yield held
                    self._limit.reschedule(None)
                held = chunk
            if seen != size:
                raise LocalProtocolError(f"Expected a body of {size} bytes, got {'more' if seen > size else seen}.")
            self._limit.reschedule(loop.time() + self._silence_s)
            yield held
            self._limit.reschedule(None)
        except Exception as error:
            self.failure = error
            raise
