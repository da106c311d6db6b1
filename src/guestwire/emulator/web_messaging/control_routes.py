"""The control API for Web Messaging: deployments, and what happens to a session from outside."""

from __future__ import annotations

from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from guestwire.emulator.changes import LoggedOut, SignedInElsewhere
from guestwire.emulator.desk_deployments import change_deployment, deployment_view, deployment_views
from guestwire.emulator.desk_refusals import DeskRefused
from guestwire.emulator.http import ApiError, json_response, read_body, read_json
from guestwire.emulator.org import Org
from guestwire.emulator.records import Conversation, DeploymentRecord, GuestSessionRecord
from guestwire.emulator.views import entry_view
from guestwire.model.content import parse_content
from guestwire.model.ids import SessionId

__all__ = ["messaging_control_routes"]


class _Push(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A message put into a conversation, whoever has it."""

    sender: Literal["bot", "agent"] = msgspec.field(name="from", default="bot")
    text: str = ""
    name: str | None = None
    content: list[dict[str, object]] = []


def messaging_control_routes(org: Org) -> list[Route]:
    """Return the calls, below `/emulator/`."""

    async def deployments(_request: Request) -> Response:
        return json_response({"deployments": deployment_views(org)})

    async def add(request: Request) -> Response:
        switches = await read_json(request, dict[str, object])
        deployment_id = switches.pop("id", None) or org.ids.new_id("deployment")
        if not isinstance(deployment_id, str) or deployment_id in org.deployments:
            raise ApiError(400, "bad-request", "Expected an id that no other deployment has, or none.")
        try:
            org.add_deployment(DeploymentRecord(id=deployment_id))
        except ValueError as error:
            raise ApiError(400, "bad-request", str(error)) from None
        try:
            return json_response(change_deployment(org, deployment_id, switches), 201)
        except DeskRefused:
            org.delete_deployment(deployment_id)
            raise

    async def read(request: Request) -> Response:
        return json_response(deployment_view(_deployment(org, request)))

    async def change(request: Request) -> Response:
        switches = await read_json(request, dict[str, object])
        return json_response(change_deployment(org, _deployment(org, request).id, switches))

    async def delete(request: Request) -> Response:
        await read_body(request, code="too-large")
        org.delete_deployment(_deployment(org, request).id)
        return Response(status_code=204)

    async def expire(request: Request) -> Response:
        await read_body(request, code="too-large")
        return json_response({"expired": org.expire_sessions([_session(org, request).id])})

    async def sign_in_elsewhere(request: Request) -> Response:
        await read_body(request, code="too-large")
        org.publish(SignedInElsewhere(frozenset({_session(org, request).id})))
        return Response(status_code=204)

    async def push(request: Request) -> Response:
        said = await read_json(request, _Push)
        content = parse_content(said.content)
        entry = org.add_entry(_conversation(org, request), said.sender, said.text, name=said.name, content=content)
        return json_response(entry_view(entry), 201)

    async def log_out(request: Request) -> Response:
        await read_body(request, code="too-large")
        user_id = request.path_params["user_id"]
        if user_id not in org.users:
            raise ApiError(404, "not-found", f"There is no such user; there are {', '.join(org.users)}.")
        org.publish(LoggedOut(user_id))
        return Response(status_code=204)

    one, session = "/emulator/deployments/{deployment_id}", "/emulator/sessions/{session_id}"
    return [
        Route("/emulator/deployments", deployments, methods=["GET"]),
        Route("/emulator/deployments", add, methods=["POST"]),
        Route(one, read, methods=["GET"]),
        Route(one, change, methods=["PATCH"]),
        Route(one, delete, methods=["DELETE"]),
        Route(f"{session}/expire", expire, methods=["POST"]),
        Route(f"{session}/sign-in-elsewhere", sign_in_elsewhere, methods=["POST"]),
        Route(f"{session}/messages", push, methods=["POST"]),
        Route("/emulator/users/{user_id}/log-out", log_out, methods=["POST"]),
    ]


def _deployment(org: Org, request: Request) -> DeploymentRecord:
    record = org.deployments.get(request.path_params["deployment_id"])
    if record is None:
        raise ApiError(404, "not-found", "There is no such deployment.")
    return record


def _session(org: Org, request: Request) -> GuestSessionRecord:
    session = org.sessions.get(SessionId(request.path_params["session_id"]))
    if session is None:
        raise ApiError(404, "not-found", "There is no such session.")
    return session


def _conversation(org: Org, request: Request) -> Conversation:
    conversation = org.conversation_of(_session(org, request).id)
    if conversation is None:
        raise ApiError(404, "not-found", "The session has no conversation yet.")
    return conversation
