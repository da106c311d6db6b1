"""The desk's HTTP API: REST commands; the event socket is `desk_feed`."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from guestwire.emulator.desk import Desk
from guestwire.emulator.http import ApiError, json_response, read_body, read_json
from guestwire.emulator.org import Org
from guestwire.emulator.templates import TEMPLATES
from guestwire.emulator.views import agent_view, conversation_view, entry_view, snapshot
from guestwire.model.content import parse_content

__all__ = ["desk_routes"]


class _Body(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of the bodies; unknown members are ignored."""


class _SignIn(_Body, frozen=True, kw_only=True):
    name: str
    is_demo: bool = False


class _Queue(_Body, frozen=True, kw_only=True):
    on_queue: bool


class _Command(_Body, frozen=True, kw_only=True):
    agent_id: str


class _Message(_Body, frozen=True, kw_only=True):
    agent_id: str
    text: str = ""
    content: list[dict[str, object]] = []


def desk_routes(org: Org, desk: Desk) -> list[Route]:
    """Return the desk's calls, below `/desk/api`; a refusal of the desk is answered by the app's own handler."""

    async def state(_request: Request) -> Response:
        return json_response(snapshot(org, desk))

    async def templates(_request: Request) -> Response:
        return json_response(
            [
                {"name": one.name, "title": one.title, "text": one.text, "content": [item.raw for item in one.content]}
                for one in TEMPLATES
            ]
        )

    async def sign_in(request: Request) -> Response:
        body = await read_json(request, _SignIn)
        agent, is_new = desk.sign_in(body.name, is_demo=body.is_demo)
        return json_response(agent_view(org, agent), 201 if is_new else 200)

    async def change_agent(request: Request) -> Response:
        body = await read_json(request, _Queue)
        return json_response(agent_view(org, desk.set_on_queue(_agent_id(request), on_queue=body.on_queue)))

    async def sign_out(request: Request) -> Response:
        await read_body(request, code="too-large")
        desk.sign_out(_agent_id(request))
        return Response(status_code=204)

    async def command(request: Request) -> Response:
        body = await read_json(request, _Command)
        run = {"accept": desk.accept, "typing": desk.typing, "transfer": desk.transfer, "end": desk.end}.get(
            request.path_params["command"]
        )
        if run is None:
            raise ApiError(404, "not-found", "There is nothing at this address.")
        return json_response(conversation_view(run(request.path_params["conversation_id"], body.agent_id)))

    async def message(request: Request) -> Response:
        body = await read_json(request, _Message)
        entry = desk.send(request.path_params["conversation_id"], body.agent_id, body.text, parse_content(body.content))
        return json_response(entry_view(entry), 201)

    conversation = "/conversations/{conversation_id}"
    return [
        Route("/state", state, methods=["GET"]),
        Route("/templates", templates, methods=["GET"]),
        Route("/agents", sign_in, methods=["POST"]),
        Route("/agents/{agent_id}", change_agent, methods=["PATCH"]),
        Route("/agents/{agent_id}", sign_out, methods=["DELETE"]),
        Route(f"{conversation}/messages", message, methods=["POST"]),
        Route(f"{conversation}/{{command}}", command, methods=["POST"]),
    ]


def _agent_id(request: Request) -> str:
    return str(request.path_params["agent_id"])
