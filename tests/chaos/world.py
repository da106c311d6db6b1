"""A provider, guests, an agent and a gateway in a process that can be killed; all of it ends with the block."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

from guestwire.emulator import Emulator
from guestwire.emulator.changes import Change, ConversationChanged, EntryAdded
from guestwire.emulator.faults import FaultName
from guestwire.emulator.org import Org
from guestwire.emulator.records import Conversation, Stage
from guestwire.model.events import epoch_ms
from guestwire.model.http import HttpRequest
from guestwire.net.http import HttpClient
from guestwire.settings import Api, EmulatorSettings
from guestwire.testing import eventually
from guestwire.testing.fault_proxy import FaultProxy
from tests.chaos.agent import Agent
from tests.chaos.checker import Verdict, check
from tests.chaos.gateway_child import SETTLE_S, Order
from tests.chaos.gateways import Gateway, Gateways, free_port
from tests.chaos.guest import Guest, Tab
from tests.chaos.history import History, read_history
from tests.chaos.minutes import quick_minutes

__all__ = ["World", "chaos_world", "gateways_and_client"]

_numbers = itertools.count(1)


class World:
    """Everybody, and what they do.

    Attributes:
        switches: The provider's, as the emulator has them.
        has_history: Whether it shows its messages later.
        api: What it speaks.
    """

    def __init__(
        self,
        folder: Path,
        *,
        rng: Random,
        history: History,
        emulator: Emulator,
        upstream: FaultProxy,
        gateways: Gateways,
        client: HttpClient,
        port: int,
        switches: Mapping[str, Mapping[str, int]],
        ablations: tuple[str, ...],
        options: Mapping[str, Any],
        api: Api,
    ) -> None:
        self.rng = rng
        self.history = history
        self.emulator = emulator
        self.upstream = upstream
        self.gateways = gateways
        self.api = api
        self.has_history = api == "web-messaging" or "history" in switches
        self._shows_too_late = False
        self.port = port
        self.guests: list[Guest] = []
        self.agent = Agent(emulator.url, client, history, rng)
        self.cut_percent = 0.0
        self._folder = folder
        self._client = client
        self._has_ids = self.has_history or "echo" in switches
        self._ablations = ablations
        self._options = options
        self._bursts = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._errors: list[BaseException] = []
        self._talk: list[asyncio.Task[None]] = []
        self._provider = _Provider(emulator.org, history, has_ids=self._has_ids, heard=self._heard)

    def switch(self, name: str, **params: int) -> None:
        """Turn one of the provider's switches on, or set it anew."""
        self.emulator.org.faults.switch(FaultName(name), on=True, params=params)
        if name == "history":
            self._shows_too_late = params.get("lagMs", 0) > SETTLE_S * 1000

    # --- the gateway --------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Where the gateway is, when it is."""
        return f"http://127.0.0.1:{self.port}"

    async def start_gateway(
        self, *, point: str = "", hit: int = 0, waits: bool = False, port: int | None = None
    ) -> Gateway:
        """Start a gateway, perhaps one that will kill itself, and wait until it is ready or has ended."""
        order = Order(
            number=next(_numbers),
            log_file=str(self._folder / "log" / "sessions.sqlite3"),
            port=self.port if port is None else port,
            provider_url=f"http://127.0.0.1:{self.upstream.port}",
            api=self.api,
            history=str(self.history.path),
            point=point,
            hit=hit,
            waits=waits,
            ablations=self._ablations,
            options=dict(self._options),
        )
        self.history.add("driver", "invoke", "start", text=point)
        gateway = await self.gateways.start(order)
        is_ready = await gateway.ready()
        self.history.add("driver", "ok" if is_ready else "fail", "start", text=point)
        return gateway

    async def check_health(self) -> None:
        """Ask the gateway how it is."""
        answer = await self._client.send(HttpRequest("GET", f"{self.url}/health"))
        assert answer.status == 200

    async def kill(self, gateway: Gateway) -> None:
        """Kill it from outside."""
        gateway.send_signal(signal.SIGKILL)
        await self.dead(gateway)

    async def dead(self, gateway: Gateway) -> None:
        """Note that it was killed."""
        code = await gateway.ended()
        assert code == -signal.SIGKILL, f"a gateway ended by itself: {code}"
        self.history.add("driver", "info", "kill")

    # --- the people ---------------------------------------------------------------------------------------------------

    async def invite(self, count: int, *, second_tabs: int = 0, **timing: float) -> None:
        """Let guests come; each says something and is taken by the agent. A gateway must be there."""
        await self.agent.sign_in()
        for number in range(count):
            rng = Random(self.rng.random())
            self.guests.append(Guest(f"g{number}", self.url, self._client, self.history, rng))
        await asyncio.gather(*(guest.create() for guest in self.guests))
        for number, guest in enumerate(self.guests):
            for _ in range(2 if number < second_tabs else 1):
                self.spawn(guest.open_tab(**timing).run())
        await asyncio.gather(*(guest.tabs[0].say() for guest in self.guests))
        await eventually(lambda: self._provider.accepted == {guest.name for guest in self.guests}, within_s=120)

    def spawn(self, work: Any) -> asyncio.Task[None]:
        """Run something until the end of the world."""
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._note_end)
        return task

    def _note_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._errors.append(error)

    @property
    def tabs(self) -> list[Tab]:
        """All tabs."""
        return [tab for guest in self.guests for tab in guest.tabs]

    def talk(self, *, guests_per_s: float = 2.0, agent_per_s: float = 2.0) -> None:
        """Let everybody talk."""
        self._talk = [
            self.spawn(self.agent.talk(per_s=agent_per_s)),
            self.spawn(self._burst()),
            *(
                self.spawn(tab.talk(per_s=guests_per_s / len(guest.tabs)))
                for guest in self.guests
                for tab in guest.tabs
            ),
        ]

    def move_to(self, port: int) -> None:
        """Tell the guests that the gateway is at another port."""
        self.port = port
        for guest in self.guests:
            if guest.url != self.url:
                guest.url = self.url
                for tab in guest.tabs:
                    tab.drop()

    async def hush(self) -> None:
        """Let them finish the sentence and be silent."""
        for task in self._talk:
            task.cancel()
        await asyncio.gather(*self._talk, return_exceptions=True)
        self._talk.clear()

    # --- the end ------------------------------------------------------------------------------------------------------

    async def judge(self, *, within_s: float = 60.0) -> Verdict:
        """Wait until nothing moves any more, have everybody load the whole chat again, and judge it all."""
        await self.hush()
        with contextlib.suppress(AssertionError):  # then the verdict says what is stuck
            await eventually(self._is_quiet, within_s=within_s)
            for tab in self.tabs:
                await tab.ping()
            await eventually(lambda: all(tab.head == tab.last for tab in self.tabs), within_s=within_s)
            for guest in self.guests:
                guest.tabs[-1].is_synced = False
                guest.tabs[-1].reload()
            await eventually(self._is_quiet, within_s=within_s)
        self.history.add("driver", "info", "quiet")
        if self._errors:
            raise self._errors[0]  # of somebody who should have gone on
        history = read_history(self.history.path)
        return check(history, has_history=self.has_history, shows_too_late=self._shows_too_late)

    def _is_quiet(self) -> bool:
        for guest in self.guests:
            if not all(tab.is_quiet for tab in guest.tabs) or len({tab.last for tab in guest.tabs}) > 1:
                return False
            if self.has_history and not all(self._provider.said[guest.name] <= tab.texts for tab in guest.tabs):
                return False
        return True

    async def aclose(self) -> None:
        """Let everybody go."""
        self._provider.forget()
        for tab in self.tabs:
            tab.close()
        if self._tasks:
            _, left = await asyncio.wait(self._tasks, timeout=5)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    def _heard(self, conversation: Conversation) -> None:
        if conversation.stage is Stage.QUEUE and conversation.guest.name is not None:
            self.spawn(self._accept(conversation.id, conversation.guest.name))
        if self.rng.random() * 100 < self.cut_percent and self.upstream.open_connections:
            self.history.add("driver", "info", "cut")
            self.rng.choice(sorted(self.upstream._connections, key=id)).cut()

    async def _burst(self) -> None:
        """Say three things in one moment, as a program at the provider would."""
        org = self.emulator.org
        while True:
            await asyncio.sleep(self.rng.uniform(0.0, 1.0))
            conversation = self.rng.choice(list(org.conversations.values()))
            self._bursts += 1
            for number in range(3):
                text = f"to {conversation.guest.name}: burst {self._bursts}.{number}"
                org.add_entry(conversation, "agent", text, name="Alex")

    async def _accept(self, conversation: str, session: str) -> None:
        await self.agent.accept(conversation, session)
        self._provider.accepted.add(session)


class _Provider:
    """Writes down what the provider has, and to which of a guest's connections it told it."""

    def __init__(self, org: Org, history: History, *, has_ids: bool, heard: Callable[[Conversation], None]) -> None:
        self.said: dict[str, set[str]] = defaultdict(set)
        self.accepted: set[str] = set()
        self._history = history
        self._has_ids = has_ids
        self._heard = heard
        self._entries = 0
        self._connections: dict[str, int] = defaultdict(int)
        self._open: dict[str, list[int]] = defaultdict(list)
        self._in_queue: set[str] = set()
        self.forget = org.subscribe(self._changed)

    def _changed(self, change: Change) -> None:
        match change:
            case ConversationChanged(conversation):
                self._count(conversation)
                if conversation.stage is Stage.QUEUE and conversation.id not in self._in_queue:
                    self._in_queue.add(conversation.id)
                    self._heard(conversation)
            case EntryAdded(conversation, entry, _) if entry.sender != "system":
                name = conversation.guest.name or ""
                self._entries += 1
                self._history.add(
                    "provider",
                    "info",
                    "entry",
                    session=name,
                    sender=entry.sender,
                    text=entry.text,
                    rank=f"{epoch_ms(entry.at):015} {entry.id}" if self._has_ids else f"{self._entries:015}",
                    connection=self._connections[conversation.id],
                    is_connected=bool(self._open[conversation.id]),
                )
                if entry.sender == "guest":
                    self._heard(conversation)
                else:
                    self.said[name].add(entry.text)
            case _:
                pass

    def _count(self, conversation: Conversation) -> None:
        name, known = conversation.guest.name or "", self._open[conversation.id]
        while len(known) < conversation.connections:
            self._connections[conversation.id] += 1
            known.append(self._connections[conversation.id])
            self._history.add("provider", "info", "connection", session=name, connection=known[-1], status="open")
        while len(known) > conversation.connections:
            self._history.add("provider", "info", "connection", session=name, connection=known.pop(0), status="closed")


@asynccontextmanager
async def gateways_and_client(folder: Path) -> AsyncIterator[tuple[Gateways, HttpClient]]:
    """Make what takes a moment to make."""
    async with contextlib.AsyncExitStack() as stack:
        gateways = await stack.enter_async_context(Gateways(folder))
        yield gateways, await stack.enter_async_context(HttpClient())


@asynccontextmanager
async def chaos_world(
    folder: Path,
    *,
    seed: int,
    switches: Mapping[str, Mapping[str, int]] | None = None,
    ablations: tuple[str, ...] = (),
    shared: tuple[Gateways, HttpClient] | None = None,
    api: Api = "guest-session",
    **options: Any,
) -> AsyncIterator[World]:
    """Set a world up, without a gateway.

    Args:
        folder: For the history and the log.
        seed: Of everything that is random.
        switches: Capabilities and faults of the provider, by name.
        ablations: What is broken in its gateways.
        shared: `gateways_and_client` of several worlds at once.
        api: What the provider speaks.
        options: Further settings of its gateways.
    """
    rng = Random(seed)
    settings = EmulatorSettings(port=0, demo_agent=False, seed=None)
    switches = switches or {}
    async with contextlib.AsyncExitStack() as stack:
        history = stack.enter_context(History(folder / "history.jsonl"))
        stack.enter_context(quick_minutes())
        emulator = await stack.enter_async_context(Emulator(settings))
        upstream = await stack.enter_async_context(FaultProxy("127.0.0.1", emulator.port))
        if shared is None:
            shared = await stack.enter_async_context(gateways_and_client(folder))
        gateways, client = shared
        port = stack.enter_context(contextlib.closing(free_port())).getsockname()[1]
        world = World(
            folder,
            rng=rng,
            history=history,
            emulator=emulator,
            upstream=upstream,
            gateways=gateways,
            client=client,
            port=port,
            switches=switches,
            ablations=ablations,
            options=options,
            api=api,
        )
        for name, params in switches.items():
            world.switch(name, **params)
        stack.push_async_callback(world.aclose)
        yield world
