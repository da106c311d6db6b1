"""A guest, a network in memory, and a provider: client half and server half joined."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import msgspec

from guestwire.errors import ChatError
from guestwire.model.events import Event, Fate, Receipt
from guestwire.model.http import HttpAnswer
from guestwire.model.secret import Secret
from guestwire.model.transcript import Transcript
from guestwire.protocols.web_messaging.client import WebMessagingClient
from guestwire.protocols.web_messaging.deployment import Deployment
from guestwire.protocols.web_messaging.effects import (
    Authorize,
    CloseSocket,
    Effect,
    KeepSession,
    OpenSocket,
    ReadDeployment,
    ReadHistory,
    SendFrame,
    Upload,
)
from guestwire.protocols.web_messaging.provider import (
    CloseConnection,
    Happening,
    Host,
    ServedDeployment,
    ServedFile,
    WebMessagingProvider,
    WriteFrame,
)
from guestwire.protocols.web_messaging.rest import HistoryPage, history_page, parse_history_answer

DEPLOYMENT = "5f0c2a9e-6d1b-4f0e-9a77-0c1f2f3a4b5c"
EPOCH = 1_777_600_000.0


class Ids:
    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.number = 0

    def __call__(self, _kind: str = "") -> str:
        self.number += 1
        return f"{self.prefix}{self.number:04}"


class World:
    """Effects are done when `step` is called, one at a time; a drop loses what is on its way, both ways."""

    def __init__(
        self,
        *,
        served: ServedDeployment | None = None,
        deployment: Deployment | None = None,
        reads_history: bool = True,
        signs_in: bool = False,
    ) -> None:
        self.now = 100.0
        self.served = served or ServedDeployment(deployment_id=DEPLOYMENT, allows_step_up=True)
        self.deployment = deployment or Deployment(
            DEPLOYMENT, takes_guest_typing=True, auto_start=True, allows_clear=True, allows_step_up=True
        )
        self.provider = WebMessagingProvider(
            Host(
                deployment={DEPLOYMENT: self.served}.get,
                new_id=Ids("p"),
                history_key=lambda token, now: (f"key-{token.reveal()}", int(now) + 60),
                user_of=self.user_of,
                upload_url=self.upload_url,
                download_url=lambda _token, file: f"https://files.example.test/{file.attachment_id}",
            )
        )
        self.ids = Ids("g")
        self.signs_in = signs_in
        self.reads_history = reads_history
        self.kept: object = None
        self.client = self.new_client()
        self.transcript = Transcript()
        self.events: list[Event] = []
        self.happenings: list[Happening] = []
        self.tasks: deque[Effect] = deque()
        self.up: deque[tuple[str, str, str | None]] = deque()
        self.down: deque[tuple[str, str | int]] = deque()
        self.connection: str | None = None
        self.connections = 0
        self.uploads: list[Upload] = []
        self.refused_upgrades = 0

    def new_client(self) -> WebMessagingClient:
        return WebMessagingClient(
            DEPLOYMENT,
            new_id=self.ids,
            delay_s=lambda attempt: float(min(2**attempt, 30)),
            epoch_s=EPOCH,
            signs_in=self.signs_in,
            reads_history=self.reads_history,
        )

    def user_of(self, jwt: Secret) -> tuple[str, str, str] | None:
        return (jwt.reveal(), "Ada", "L.") if jwt.reveal().startswith("user") else None

    def upload_url(self, _token: Secret, file: ServedFile) -> tuple[str, Mapping[str, str]]:
        return f"https://files.example.test/{file.attachment_id}", {"x-amz-tagging": "demo"}

    # --- the shell -------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Take effects and events, as a shell does."""
        for effect in self.client.effects():
            match effect:
                case SendFrame(text, client_id):
                    assert self.connection is not None
                    self.up.append((self.connection, text, client_id))
                case CloseSocket():
                    self.cut(tell=False)
                    self.tasks.clear()
                case KeepSession(session):
                    self.kept = session
                case _:
                    self.tasks.append(effect)
        for event in self.client.events():
            self.events.append(event)
            self.transcript.apply(event)

    def step(self) -> bool:
        """Do one thing that is to be done; return whether there was one."""
        if self.up:
            self.write_up()
        elif self.down:
            self.read_down()
        elif self.tasks:
            self.do_task()
        else:
            return False
        return True

    def run(self, *, limit: int = 500) -> None:
        for _ in range(limit):
            if not self.step():
                return
        raise AssertionError("it never becomes quiet")

    def later(self, seconds: float) -> None:
        """Let time pass, from deadline to deadline, with everything done in between."""
        until = self.now + seconds
        self.run()
        for _ in range(500):
            deadline = self.client.next_deadline()
            if deadline is None or deadline > until:
                self.now = until
                return
            self.now = max(self.now, deadline)
            self.client.timer_due(self.now)
            self.settle()
            self.run()
        raise AssertionError("the clock stands still")

    def write_up(self) -> None:
        connection, text, client_id = self.up.popleft()
        self.provider.frame_received(connection, text, EPOCH + self.now)
        self.collect()
        if client_id is not None:
            self.client.sent(client_id, self.now)
        self.settle()

    def collect(self) -> None:
        for effect in self.provider.effects():
            match effect:
                case WriteFrame(connection, text):
                    self.down.append((connection, text))
                case CloseConnection(connection, code):
                    self.down.append((connection, code))
        self.happenings += self.provider.happenings()

    def read_down(self, index: int = 0) -> None:
        connection, what = self.down[index]
        del self.down[index]
        if connection != self.connection:
            return
        if isinstance(what, int):
            self.cut(code=what)
        else:
            self.client.frame_received(what, self.now)
            self.settle()

    def cut(self, code: int = 1006, *, tell: bool = True) -> None:
        """Lose the connection and all that is on its way."""
        if self.connection is None:
            return
        self.provider.closed(self.connection)
        self.connection = None
        self.up.clear()
        self.down.clear()
        if tell:
            self.client.closed(code, self.now)
            self.settle()

    def do_task(self, *, fails: ChatError | None = None) -> None:
        task = self.tasks.popleft()
        if isinstance(task, ReadHistory):
            if fails is not None:
                self.client.history_failed(fails, self.now)
            else:
                self.client.history_read(self.read_page(task), self.now)
        elif isinstance(task, Upload):
            self.uploads.append(task)
        elif fails is not None:
            self.client.attempt_failed(fails, self.now)
        elif isinstance(task, ReadDeployment):
            self.client.deployment_read(self.deployment)
        elif isinstance(task, Authorize):
            self.client.authorized(Secret("user-1"), self.now)
        elif isinstance(task, OpenSocket):
            self.connections += 1
            self.connection = f"c{self.connections}"
            self.provider.opened(self.connection)
            self.client.opened(self.now)
        self.settle()

    def read_page(self, task: ReadHistory) -> HistoryPage:
        session = self.provider.session(Secret(task.jwt.reveal().removeprefix("key-")))
        if session is None:
            return HistoryPage(task.query.page_number)
        body = msgspec.json.encode(history_page(session.messages, task.query))
        return parse_history_answer(HttpAnswer(200, {}, body), task.query)

    # --- words for tests -------------------------------------------------------------------------------------

    def start(self) -> None:
        self.client.start()
        self.settle()
        self.run()

    def send(self, text: str, client_id: str | None = None) -> str:
        client_id = client_id or f"m-{text}"
        self.client.send_text(text, self.now, client_id=client_id)
        self.settle()
        return client_id

    def agent(self, text: str, **members: object) -> None:
        self.provider.say(self.token, EPOCH + self.now, text=text, **members)  # type: ignore[arg-type]
        self.collect()

    @property
    def token(self) -> Secret:
        assert self.client.session is not None
        return self.client.session.token

    def said(self) -> list[str]:
        """Return the guest's texts that the provider has, in its order."""
        session = self.provider.session(self.token)
        assert session is not None
        return [body.text or "" for body in session.messages if body.direction == "Inbound" and body.type != "Event"]

    def fates(self, client_id: str) -> list[Fate]:
        return [one.status for one in self.events if isinstance(one, Receipt) and one.client_id == client_id]
