"""The desk's HTTP API: REST commands; the event socket is `desk_feed`."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from guestwire.emulator.desk import Desk
from guestwire.emulator.http import ApiError, json_response, read_body, read_json
from guestwire.emulator.org import Org
from guestwire.emulator.templates import make_templates
from guestwire.emulator.views import agent_view, conversation_view, entry_view, snapshot

__all__ = ["desk_routes"]


class _Body(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of the bodies; unknown members are ignored."""


class _SignIn(_Body, frozen=True, kw_only=True):
    name: str
    is_demo: bool = False


class _AgentChange(_Body, frozen=True, kw_only=True):
    on_queue: bool | UnsetType = UNSET
    avatar: str | UnsetType | None = UNSET


class _Command(_Body, frozen=True, kw_only=True):
    agent_id: str


class _Transfer(_Command, frozen=True, kw_only=True):
    to: str = "bot"


class _Push(_Command, frozen=True, kw_only=True):
    count: int
    as_bot: bool = False


class _Message(_Command, frozen=True, kw_only=True):
    text: str = ""
    content: list[object] = []
    as_bot: bool = False


def desk_routes(org: Org, desk: Desk) -> list[Route]:
    """Return the desk's calls, below `/desk/api`; a refusal of the desk is answered by the app's own handler."""

    async def state(_request: Request) -> Response:
        return json_response(snapshot(org, desk))

    async def templates(_request: Request) -> Response:
        return json_response(
            [
                {"name": one.name, "title": one.title, "text": one.text, "content": [item.raw for item in one.content]}
                for one in make_templates(org.clock.utc())
            ]
        )

    async def sign_in(request: Request) -> Response:
        body = await read_json(request, _SignIn)
        agent, is_new = desk.sign_in(body.name, is_demo=body.is_demo)
        return json_response(agent_view(org, agent), 201 if is_new else 200)

    async def change_agent(request: Request) -> Response:
        body = await read_json(request, _AgentChange)
        agent_id = str(request.path_params["agent_id"])
        if body.avatar is not UNSET:
            desk.set_avatar(agent_id, body.avatar or None)
        if body.on_queue is not UNSET:
            desk.set_on_queue(agent_id, on_queue=body.on_queue)
        return json_response(agent_view(org, desk.agent(agent_id)))

    async def sign_out(request: Request) -> Response:
        await read_body(request, code="too-large")
        desk.sign_out(str(request.path_params["agent_id"]))
        return Response(status_code=204)

    async def command(request: Request) -> Response:
        run = {
            "accept": desk.accept,
            "typing": desk.typing,
            "end": desk.end,
            "expire": desk.expire,
            "sign-in-elsewhere": desk.sign_in_elsewhere,
        }.get(request.path_params["command"])
        if run is None:
            raise ApiError(404, "not-found", "There is nothing at this address.")
        body = await read_json(request, _Command)
        return json_response(conversation_view(run(_conversation_id(request), body.agent_id)))

    async def transfer(request: Request) -> Response:
        body = await read_json(request, _Transfer)
        return json_response(conversation_view(desk.transfer(_conversation_id(request), body.agent_id, body.to)))

    async def push(request: Request) -> Response:
        body = await read_json(request, _Push)
        pushed = desk.push(_conversation_id(request), body.agent_id, body.count, as_bot=body.as_bot)
        return json_response(conversation_view(pushed, with_entries=False))

    async def message(request: Request) -> Response:
        body = await read_json(request, _Message)
        entry = desk.send(_conversation_id(request), body.agent_id, body.text, body.content, as_bot=body.as_bot)
        return json_response(entry_view(entry), 201)

    async def change_deployment(request: Request) -> Response:
        changes = await read_json(request, dict[str, object])
        return json_response(desk.change_deployment(request.path_params["deployment_id"], changes))

    conversation = "/conversations/{conversation_id}"
    return [
        Route("/state", state, methods=["GET"]),
        Route("/templates", templates, methods=["GET"]),
        Route("/agents", sign_in, methods=["POST"]),
        Route("/agents/{agent_id}", change_agent, methods=["PATCH"]),
        Route("/agents/{agent_id}", sign_out, methods=["DELETE"]),
        Route("/deployments/{deployment_id}", change_deployment, methods=["PATCH"]),
        Route(f"{conversation}/messages", message, methods=["POST"]),
        Route(f"{conversation}/transfer", transfer, methods=["POST"]),
        Route(f"{conversation}/push", push, methods=["POST"]),
        Route(f"{conversation}/{{command}}", command, methods=["POST"]),
    ]


def _conversation_id(request: Request) -> str:
    return str(request.path_params["conversation_id"])
