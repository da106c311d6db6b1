"""The relay over real sockets: what browsers get, whatever happens to them and to the gateway."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.gateway.relay_world import relay_world


async def test_a_message_all_the_way_and_a_reload(tmp_path: Path) -> None:
    """POST, hello, send, accepted, delivered, an answer; a reload with nothing gets all, with a position the rest."""
    async with relay_world(tmp_path) as world:
        guest = await world.create(b'{"name":"Ada"}')
        assert guest.answer["extensions"] == ["typing", "end", "hello", "resume", "receipts"]
        assert guest.answer["webSocketUrl"] == guest.socket_url
        tab = await guest.open()
        assert tab.welcome["mode"] == "reset"
        assert tab.welcome["seq"] == 0
        assert tab.welcome["limits"] == {"maxTextBytes": 4096, "maxFrameBytes": 65536}
        await tab.say(type="message", text="Hello", clientId="c1")
        accepted = await tab.until("receipt", status="accepted")
        assert accepted["clientId"] == "c1"
        assert accepted["messageSeq"] == 1
        assert "seq" not in accepted
        await tab.until_seq(2)
        assert world.heard == ["Hello"]
        await guest.upstream.agent("Hi Ada")
        await tab.until("message", text="Hi Ada")
        assert tab.seqs == [1, 2, 3]
        assert [frame["type"] for frame in tab.records] == ["message", "receipt", "message"]
        assert tab.records[0]["id"] == accepted["id"]
        await tab.drop()
        again = await guest.open()
        assert again.welcome["mode"] == "reset"
        assert again.records == sorted(tab.records, key=lambda frame: frame["seq"])
        resumed = await guest.open(again.welcome["epoch"], 2)
        assert resumed.welcome["mode"] == "resume"
        assert resumed.seqs == [3]
        assert json.dumps(resumed.frames).count("synced") == 1
