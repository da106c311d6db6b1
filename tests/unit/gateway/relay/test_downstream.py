"""Connections and sessions on a real log on disk, with sockets and upstreams that the tests hold."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from guestwire.errors import ERRORS, LogUnavailable
from guestwire.gateway.relay.downstream import Downstream
from guestwire.gateway.relay.guest_details import unpack_details
from guestwire.model.events import ConversationStatus, ConversationUpdated, Message, ProviderError, Typing
from guestwire.net.websocket import Refusal, UpgradeRequest
from guestwire.testing import eventually
from tests.unit.gateway.relay.hub_place import SID, HeldSocket, place, say


async def test_nothing_is_acknowledged_before_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the log is writing, no receipt and no wake-up of the upstream; both come after it."""
    async with place(tmp_path) as here:
        connection, socket = await here.join()
        accept, committed = here.log.accept, asyncio.Event()

        async def slow(*args: Any, **options: Any) -> Any:
            await committed.wait()
            return await accept(*args, **options)

        monkeypatch.setattr(here.log, "accept", slow)
        say(connection, type="message", text="Hi", clientId="c1")
        say(connection, type="ping")
        for _ in range(20):
            await asyncio.sleep(0)
        assert socket.kinds == ["welcome", "synced"]
        assert here.upstream.calls == []
        committed.set()
        await eventually(lambda: "pong" in socket.kinds)
        assert socket.kinds.index("receipt") < socket.kinds.index("pong")
        assert here.upstream.calls == ["start", "wake"]


async def test_a_log_that_can_not_write_refuses_and_recovers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with place(tmp_path) as here:
        connection, socket = await here.join()

        async def fail(*_args: Any, **_options: Any) -> None:
            raise LogUnavailable

        with monkeypatch.context() as patch:
            patch.setattr(here.log, "accept", fail)
            say(connection, type="message", text="Hi", clientId="c1")
            await eventually(lambda: "error" in socket.kinds)
        error = socket.frames[-1]
        assert (error["code"], error["clientId"], error["retryAfter"]) == ("log-unavailable", "c1", 3.0)
        assert here.upstream.calls == []
        say(connection, type="message", text="Hi", clientId="c1")
        await eventually(lambda: "receipt" in socket.kinds)
        with monkeypatch.context() as patch:
            patch.setattr(here.log, "find_token", fail)
            other, other_socket = here.connect()
            say(other, type="hello", sessionId=SID, token=here.token.reveal())
            await eventually(lambda: other_socket.close_code == 1013)
            answer = await here.hub.authorise(UpgradeRequest("/ws", {"sessionId": SID, "token": "t"}))
            assert isinstance(answer, Refusal)
            assert answer.status == 503


async def test_what_the_log_refused_once_is_not_overtaken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three messages at once, and the log fails for the first only: all three are refused, and come in order then."""
    async with place(tmp_path) as here:
        connection, socket = await here.join()
        accept = here.log.accept
        refused: list[object] = []

        async def fail_once(*args: Any, **options: Any) -> Any:
            if not refused:
                refused.append(args)
                raise LogUnavailable
            return await accept(*args, **options)

        monkeypatch.setattr(here.log, "accept", fail_once)
        for client_id in ("c1", "c2", "c3"):
            say(connection, type="message", text=client_id, clientId=client_id)
        await eventually(lambda: socket.kinds.count("error") == 3)
        assert {frame["code"] for frame in socket.frames if frame["type"] == "error"} == {"log-unavailable"}
        assert "receipt" not in socket.kinds
        for client_id in ("c1", "c4", "c2", "c3", "c4"):
            say(connection, type="message", text=client_id, clientId=client_id)
        await eventually(lambda: socket.seqs == [1, 2, 3, 4])
        assert [frame["text"] for frame in socket.frames if frame["type"] == "message"] == ["c1", "c2", "c3", "c4"]


async def test_what_was_said_before_the_socket_broke_is_taken(tmp_path: Path) -> None:
    """Three messages and a reset at once: all three are in the log, and the session stays the only one."""
    async with place(tmp_path) as here:
        connection, _ = await here.join()
        for number in range(3):
            say(connection, type="message", text=str(number), clientId=f"c{number}")
        connection.closed(1006)
        _, again = await here.join()
        await eventually(lambda: again.seqs == [1, 2, 3])
        assert len(here.upstreams) == 1
        assert [frame["text"] for frame in again.frames if frame["type"] == "message"] == ["0", "1", "2"]


async def test_a_tab_too_many_that_has_just_said_something_keeps_its_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is closed while its message is on the way to the log, and nobody else stays: still there is one session."""
    async with place(tmp_path, max_tabs=1) as here:
        connection, socket = await here.join()
        accept, may_commit = here.log.accept, asyncio.Event()

        async def slow(*args: Any, **options: Any) -> Any:
            await may_commit.wait()
            return await accept(*args, **options)

        monkeypatch.setattr(here.log, "accept", slow)
        say(connection, type="message", text="Hi", clientId="c1")
        other, _ = await here.join()
        assert socket.close_code == 4412
        connection.closed(4412)
        other.closed(1001)
        may_commit.set()
        await eventually(lambda: here.upstreams[-1].calls == ["start", "wake"])
        _, again = await here.join()
        assert len(here.upstreams) == 1
        await eventually(lambda: again.seqs == [1])


async def test_a_blocked_reader_gets_nothing_more_and_is_cut_off_after_ten_seconds(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        _, socket = await here.join()
        _, quick = await here.join()
        socket.is_writable = False
        await here.fill(50)
        await eventually(lambda: len(quick.seqs) == 50)
        assert socket.seqs == []
        await eventually(lambda: here.clock.sleepers >= 2)
        here.clock.advance(9.9)
        assert socket.close_code is None
        here.clock.advance(0.2)
        await eventually(lambda: socket.close_code == 4411)
        assert quick.close_code is None


async def test_a_reader_that_takes_frames_again_misses_nothing(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        connection, socket = await here.join()
        socket.is_writable = False
        await here.fill(300)
        await eventually(lambda: here.clock.sleepers >= 2)
        socket.is_writable = True
        connection.writable()
        await eventually(lambda: socket.seqs == list(range(1, 301)))
        here.clock.advance(20)
        assert socket.close_code is None


@pytest.mark.parametrize("count, size", [(2001, 10), (40, 60_000)])
async def test_a_reader_too_far_behind_is_cut_off_at_once(tmp_path: Path, count: int, size: int) -> None:
    """2,000 records or 2 MiB; it comes back and gets all of it."""
    async with place(tmp_path) as here:
        _, socket = await here.join()
        socket.is_writable = False
        await here.fill(count, size)
        await eventually(lambda: socket.close_code == 4411)
        _, again = await here.join("e1", 0)
        assert again.frames[0]["mode"] == "resume"
        await eventually(lambda: again.seqs == list(range(1, count + 1)))


async def test_a_lost_wake_up_costs_time_and_no_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ping finds what a wake-up should have told."""
    async with place(tmp_path) as here:
        connection, socket = await here.join()
        with monkeypatch.context() as patch:
            patch.setattr(here.log, "_wake", lambda _sid: None)
            await here.fill(3)
        assert socket.seqs == []
        say(connection, type="ping", seq=0)
        await eventually(lambda: socket.seqs == [1, 2, 3])
        assert {"type": "pong", "seq": 3} in socket.frames


async def test_a_reader_that_keeps_up_takes_no_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records, pings and notes are dealt with there and then; the guest's own message is acknowledged, then shown."""
    async with place(tmp_path) as here:
        connection, socket = await here.join()
        await here.fill(1)  # from the second record on the log has its tail
        await eventually(lambda: socket.last == 1)
        spawn, spawned = here.hub.spawn, []

        def noting(work: Any) -> Any:
            spawned.append(work.__name__)
            return spawn(work)

        monkeypatch.setattr(here.hub, "spawn", noting)
        for seq in range(2, 150):
            await here.fill(1)
            await eventually(lambda seq=seq: socket.last == seq)  # type: ignore[misc]
        say(connection, type="ack", seq=149)
        say(connection, type="typing")
        say(connection, type="ping")
        assert socket.frames[-1] == {"type": "pong", "seq": 149}
        assert spawned == []
        say(connection, type="message", text="Hi", clientId="c1")
        await eventually(lambda: socket.last == 150)
        assert socket.kinds[-2:] == ["receipt", "message"]
        assert spawned == ["_work"]


async def test_what_can_not_be_shown_closes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with place(tmp_path) as here:
        _, socket = await here.join()
        with monkeypatch.context() as patch:
            patch.setattr(here.log, "recent", lambda *_: 1 // 0)
            await here.fill(1)
            await eventually(lambda: socket.close_code == 1011)


async def test_records_that_do_not_follow_close_and_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place(tmp_path) as here:
        await here.fill(5)
        read = here.log.read

        async def holed(*args: Any, **options: Any) -> Any:
            page = await read(*args, **options)
            return None if page is None else type(page)(page.records[1:], page.head)

        monkeypatch.setattr(here.log, "read", holed)
        _, socket = await here.join()
        assert socket.close_code == 4410
        assert socket.kinds == ["welcome"]
        assert here.metrics.positions_lost._value.get() == 1.0


async def test_plain_starts_where_the_session_is(tmp_path: Path) -> None:
    """The session's first connection gets what is there, a later one what comes."""
    async with place(tmp_path, upstream_start="open") as here:
        first, socket = await here.plain()
        await eventually(lambda: here.upstreams and here.upstream.calls == ["start"])
        await here.upstream.session.provider_said([Message(sender="bot", text="Welcome"), Typing(sender="agent")])
        await eventually(lambda: socket.kinds == ["bot-message", "typing"])
        _, later = await here.plain()
        await here.upstream.session.provider_said([Message(sender="agent", text="Hi")])
        await eventually(lambda: later.kinds == ["message"])
        first.closed(1006)


async def test_who_is_let_in(tmp_path: Path) -> None:
    async with place(
        tmp_path, allowed_origins=("https://shop.example",), max_connections=2, max_connections_per_address=1
    ) as here:

        async def knock(**headers: str) -> object:
            answer = await here.hub.authorise(UpgradeRequest("/ws", {}, {"host": "chat.example", **headers}, "1.2.3.4"))
            return json.loads(answer.body)["code"] if isinstance(answer, Refusal) else "ok"

        for origin in ("https://shop.example", "https://chat.example"):
            assert await knock(origin=origin) == "ok"
        assert await knock() == "ok"
        for origin in ("https://evil.example", "null", "https://shop.example, https://evil.example"):
            assert await knock(origin=origin) == "origin-not-allowed"
        here.connect()
        assert await knock() == "rate-limited"
        here.connect()
        assert await knock() == "busy"


async def test_a_name_that_was_made_to_point_here_is_not_let_in(tmp_path: Path) -> None:
    """DNS rebinding: a page's Origin and Host agree, and yet neither is this machine's; REST refuses it as well."""
    cases = [
        ("127.0.0.1", "http://evil.example:8000", False),
        ("127.0.0.1", "http://localhost:8000", True),
        ("127.0.0.1", "https://chat.example", True),
        ("0.0.0.0", "http://chat.example:8000", True),
    ]
    for number, (host, origin, is_let_in) in enumerate(cases):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with place(folder, host=host) as here:
            headers = {"host": origin.partition("//")[2], "origin": origin}
            answer = await here.hub.authorise(UpgradeRequest("/ws", {}, headers, "127.0.0.1"))
            assert isinstance(answer, Downstream) is is_let_in, origin


async def test_what_the_guest_has_read_is_known_in_every_tab_and_after_a_restart(tmp_path: Path) -> None:
    """It never goes back, nor beyond what the tab was sent; who never read anything is told nothing."""
    async with place(tmp_path) as here:
        one, socket = await here.join()
        assert "read" not in socket.frames[0]
        other, other_socket = await here.join()
        await here.fill(5)
        await eventually(lambda: socket.last == other_socket.last == 5)
        for seq in (3, 99, 2):
            say(one, type="read", seq=seq)
        say(one, type="ping", seq=5)
        await eventually(lambda: socket.kinds[-1] == "pong")
        assert socket.frames[-1] == {"type": "pong", "seq": 5, "read": 5}
        say(other, type="ping", seq=5)
        await eventually(lambda: other_socket.kinds[-1] == "pong")
        assert other_socket.frames[-1]["read"] == 5
        _, later = await here.join("e1", 5)
        assert later.frames[0]["read"] == 5
    async with place(tmp_path, is_new=False) as here:
        _, socket = await here.join()
        assert socket.frames[0]["read"] == 5
        row = await here.log.get(SID)
        assert row is not None
        assert unpack_details(row.details).name == "Ada"


async def test_nobody_floods_a_session_with_replays(tmp_path: Path) -> None:
    """Each hello may read all that is kept: after a minute's worth they are told when to come back."""
    async with place(tmp_path, max_tabs=2) as here:
        sockets = []
        for _ in range(25):
            connection, socket = await here.join()
            sockets.append(socket)
            connection.closed(1001)
        assert [socket.close_code for socket in sockets] == [None] * 24 + [4429]
        assert sockets[-1].kinds == ["error"]
        assert (sockets[-1].frames[0]["code"], sockets[-1].frames[0]["retryAfter"]) == ("rate-limited", 3.0)
        here.clock.advance(3)
        _, socket = await here.join()
        assert "synced" in socket.kinds


async def test_a_client_of_the_tutorial_may_speak_and_leave(tmp_path: Path) -> None:
    """All it has said is accepted, though its session was still being looked up when it closed."""
    async with place(tmp_path) as here:
        query = {"sessionId": SID, "token": here.token.reveal()}
        connection = await here.hub.authorise(UpgradeRequest("/ws", query))
        assert isinstance(connection, Downstream)
        connection.opened(HeldSocket())
        for number in range(20):
            say(connection, type="message", text=f"m{number}")
        connection.closed(1001)

        async def texts() -> list[str]:
            page = await here.log.read(SID, 0)
            assert page is not None
            return [json.loads(record.body)["text"] for record in page.records]

        async def are_all_there() -> bool:
            return len(await texts()) == 20

        await eventually(are_all_there)
        assert await texts() == [f"m{number}" for number in range(20)]
        assert here.upstream.calls[:2] == ["start", "wake"]
        await eventually(lambda: not next(iter(here.hub._sessions.values()))._closing)


@pytest.mark.parametrize("options", [{"max_connections": 3}, {"max_connections_per_address": 3}], ids=["all", "one"])
async def test_the_caps_hold_for_those_that_come_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    """Twenty pairs are looked at together: three get in; and who was let in too early is closed when it opens."""
    async with place(tmp_path, **options) as here:
        check, may_go = here.hub.tokens.check, asyncio.Event()

        async def slow(*args: Any) -> Any:
            await may_go.wait()
            return await check(*args)

        monkeypatch.setattr(here.hub.tokens, "check", slow)
        query = {"sessionId": SID, "token": here.token.reveal()}
        request = UpgradeRequest("/ws", query, client_host="1.2.3.4")
        asked = [asyncio.create_task(here.hub.authorise(request)) for _ in range(20)]
        await eventually(lambda: sum(task.done() for task in asked) == 17)
        may_go.set()
        let_in = [answer for answer in await asyncio.gather(*asked) if isinstance(answer, Downstream)]
        assert len(let_in) == 3
        early = await here.hub.authorise(request)
        assert isinstance(early, Downstream)
        sockets = [HeldSocket() for _ in range(4)]
        for connection, socket in zip([*let_in, early], sockets, strict=True):
            connection.opened(socket)
        assert [socket.close_code for socket in sockets] == [None, None, None, 4429]
        early.closed(4429)
        assert isinstance(await here.hub.authorise(request), Refusal)
        let_in[0].closed(1001)
        assert isinstance(await here.hub.authorise(request), Downstream)


async def test_a_household_is_one_address(tmp_path: Path) -> None:
    """All addresses of an IPv6 /64 share the cap, and what they held is free again."""
    async with place(tmp_path, max_connections_per_address=2) as here:

        async def knock(host: str) -> Downstream | None:
            answer = await here.hub.authorise(UpgradeRequest("/ws", {}, {"host": "chat.example"}, host))
            return answer if isinstance(answer, Downstream) else None

        held = [await knock(host) for host in ("2001:db8::1", "2001:db8::2")]
        for connection in held:
            assert connection is not None
            connection.opened(HeldSocket())
        assert await knock("2001:db8::3") is None
        assert await knock("2001:db8:0:1::3") is not None
        assert held[0] is not None
        held[0].closed(1001)
        assert await knock("2001:db8::3") is not None


async def test_what_a_provider_says_went_wrong(tmp_path: Path) -> None:
    """Browsers get codes of the one table, with words."""
    async with place(tmp_path) as here:
        connection, socket = await here.join()
        say(connection, type="message", text="Hi", clientId="c1")
        await eventually(lambda: "receipt" in socket.kinds)
        for error in (
            ProviderError(code="weird-thing"),
            ProviderError(code="rate-limited", text="slow", retry_after=3),
        ):
            await here.upstream.session.provider_said([error])
        assert [(f["code"], f["text"], f.get("retryAfter")) for f in socket.frames if f["type"] == "error"] == [
            ("bad-request", ERRORS["bad-request"].summary, None),
            ("rate-limited", "slow", 3.0),
        ]


async def test_sessions_nobody_uses_leave_memory(tmp_path: Path) -> None:
    """One that never went to the provider at once; one that did stays until its end."""
    async with place(tmp_path) as here:
        connection, _ = await here.join()
        assert len(here.hub._sessions) == 1
        connection.closed(1001)
        assert here.hub._sessions == {}
        connection, socket = await here.join()
        say(connection, type="message", text="Hi", clientId="c1")
        await eventually(lambda: "receipt" in socket.kinds)
        connection.closed(1001)
        assert len(here.hub._sessions) == 1
        await here.upstream.session.provider_said([ConversationUpdated(status=ConversationStatus.ENDED)])
        assert here.hub._sessions == {}
        await eventually(lambda: "aclose" in here.upstream.calls)


async def test_a_log_that_fails_at_the_start_keeps_no_session_from_the_provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a restart the log fails for a while: the session is tried again, and so is every other one meanwhile."""
    async with place(tmp_path) as here:
        connection, socket = await here.join()
        say(connection, type="message", text="Hi", clientId="c1")
        await eventually(lambda: "receipt" in socket.kinds)
        connection.closed(1001)
        await here.hub._close_sessions()
        rows = await here.log.open_sessions()
        get, failures = (
            here.log.get,
            iter([LogUnavailable(), ValueError("damaged"), *(LogUnavailable() for _ in range(4))]),
        )

        async def fail_for_a_while(sid: Any) -> Any:
            for failure in failures:
                raise failure
            return await get(sid)

        monkeypatch.setattr(here.log, "get", fail_for_a_while)
        before = len(here.upstreams)
        here.hub.spawn(here.hub._take_up([*rows, *rows]))

        def is_taken_up() -> bool:
            here.clock.advance(31)
            return len(here.upstreams) > before and here.upstream.calls == ["start", "wake"]

        await eventually(is_taken_up)
        assert here.metrics.sessions_taken_up._value.get() == 1.0


async def test_fail_points_are_reached_in_their_order(tmp_path: Path) -> None:
    hits: list[str] = []
    async with place(tmp_path, fail_point=hits.append) as here:
        connection, socket = await here.join()
        say(connection, type="message", text="Hi", clientId="c1")
        await eventually(lambda: "receipt" in socket.kinds)
        await here.upstream.session.provider_said([Message(sender="agent", text="Hi")])
        await here.upstream.session.provider_said([ConversationUpdated(status=ConversationStatus.ENDED)])
    assert hits == ["after-accept", "before-append", "after-append", "before-append", "after-append"]


async def test_what_was_not_kept_can_be_said_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An update that the log refused is news when the provider's half says it again."""
    async with place(tmp_path) as here:
        connection, socket = await here.join()
        say(connection, type="message", text="Hi", clientId="c1")
        await eventually(lambda: "receipt" in socket.kinds)
        joined = ConversationUpdated(status=ConversationStatus.CONNECTED, agent_name="Bo")

        async def fail(*_args: Any) -> None:
            raise LogUnavailable

        with monkeypatch.context() as patch:
            patch.setattr(here.log, "append", fail)
            with pytest.raises(LogUnavailable):
                await here.upstream.session.provider_said([joined])
        await here.upstream.session.provider_said([joined])
        await here.upstream.session.provider_said([joined])
        await eventually(lambda: socket.kinds.count("conversation-update") == 1)
        assert (await here.log.head(SID)).head == 2
