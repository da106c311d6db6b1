"""A deployment as its three readers want it: the server half, `config.json`, and `domains.json`."""

from __future__ import annotations

from urllib.parse import quote

from guestwire.emulator.records import DeploymentRecord
from guestwire.protocols.web_messaging.deployment import (
    Auth,
    AutoStart,
    Conversations,
    ConversationsApp,
    DeploymentConfig,
    Disconnect,
    Domains,
    FileUpload,
    Humanize,
    HumanizeBot,
    Messenger,
    Styles,
    Switch,
)
from guestwire.protocols.web_messaging.provider import ServedDeployment

__all__ = ["avatar_url", "config_of", "domains_of", "served"]


def served(record: DeploymentRecord, *, is_active: bool) -> ServedDeployment:
    """Return the switches that the server obeys."""
    return ServedDeployment(
        deployment_id=record.id,
        is_active=is_active,
        takes_typing=record.guest_typing,
        allows_clear=record.clear,
        tells_disconnect=record.disconnect != "off",
        read_only_after_end=record.disconnect == "ReadOnly",
        allows_step_up=record.auth and record.step_up,
        humanize=record.humanize,
        file_types=record.file_types if record.attachments else (),
        max_file_size_kb=record.max_file_kb,
        blocked_extensions=record.blocked_extensions,
        duration_s=record.session_duration_s,
    )


def domains_of(record: DeploymentRecord) -> Domains:
    """Return which sites may use it."""
    return Domains(allow_all_domains=record.allow_all_domains, allowed_domains=record.allowed_domains)


def config_of(record: DeploymentRecord, *, config_id: str, base_url: str, is_active: bool) -> DeploymentConfig:
    """Return the public configuration; every member that the vendor's mobile SDK wants is in it (§1.3.2)."""
    bot = HumanizeBot(name=record.bot_name, avatar_url=record.bot_avatar or avatar_url(base_url, record.bot_name))
    conversations = Conversations(
        messaging_endpoint=base_url.replace("http", "ws", 1),
        show_agent_typing_indicator=record.agent_typing,
        show_user_typing_indicator=record.guest_typing,
        auto_start=AutoStart(enabled=record.auto_start),
        markdown=Switch(enabled=record.markdown),
        conversation_disconnect=Disconnect(
            enabled=record.disconnect != "off", type="Send" if record.disconnect == "off" else record.disconnect
        ),
        conversation_clear=Switch(enabled=record.clear),
        humanize=Humanize(enabled=record.humanize, bot=bot if record.humanize else HumanizeBot()),
        session_duration_seconds=record.session_duration_s,
    )
    return DeploymentConfig(
        id=config_id,
        status="Active" if is_active else "Inactive",
        version=str(record.version),
        api_endpoint=base_url,
        headless_mode=Switch(enabled=True),
        messenger=Messenger(
            apps=ConversationsApp(conversations=conversations),
            styles=Styles(primary_color=record.colour),
            file_upload=FileUpload(enable_attachments=record.attachments),
        ),
        auth=Auth(enabled=record.auth, allow_session_upgrade=record.auth and record.step_up),
    )


def avatar_url(base_url: str, name: str) -> str:
    """Return where the emulator draws a picture for a name."""
    return f"{base_url}/avatars/{quote(name, safe='')}.svg"
