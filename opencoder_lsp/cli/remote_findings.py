"""What `doctor` finds out about an engine elsewhere: what it is, and whether it fits the model."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from opencoder_lsp.client.access import access_to
from opencoder_lsp.client.elsewhere import remote_client
from opencoder_lsp.client.engine import EngineClient, Health, Limits
from opencoder_lsp.client.http import without_password
from opencoder_lsp.client.vocabulary import compare
from opencoder_lsp.errors import EngineError, OpencoderError
from opencoder_lsp.models import registry
from opencoder_lsp.models.registry import Model
from opencoder_lsp.prompt.conversation import TEMPLATES, stop_ids
from opencoder_lsp.prompt.privacy import is_remote
from opencoder_lsp.prompt.tokenizer import Tokenizer
from opencoder_lsp.settings import Settings

PATIENCE = Limits(connect=5.0, first=5.0, stall=5.0)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `cure` is what to do where the state is not ok."""

    what: str
    state: Literal["ok", "note", "bad"]
    detail: str
    cure: str = ""


def remote_findings(settings: Settings, what: str) -> Iterator[Finding]:
    """Look at the engine at `engine.url`, called `what` here."""
    try:
        yield from asyncio.run(_look(settings, what))
        exposed = settings.engine.url.startswith("http:") and is_remote(settings.engine.url)
        if exposed and access_to(settings.engine.url, settings).key:
            detail = "the key goes over the network as anybody can read it, and so does your code"
            yield Finding(f"{what}'s key", "note", detail, "use https://, or a tunnel")
    except OpencoderError as error:
        cure = "start an engine there" if isinstance(error, EngineError) else ""
        yield Finding(what, "bad", str(error), cure)


async def _look(settings: Settings, what: str) -> list[Finding]:
    client = remote_client(settings.engine.url, settings, PATIENCE)
    try:
        health = await client.health()
        if client.server is None:
            return [present(health, what, without_password(settings.engine.url))]
        return [await _foreign(client, registry.resolve(settings), what)]
    finally:
        await client.close()


async def _foreign(client: EngineClient, model: Model, what: str) -> Finding:
    server = client.server
    assert server is not None
    tokenizer = await asyncio.to_thread(Tokenizer.load, model.folder)
    ends = stop_ids(TEMPLATES[model.template], tokenizer)
    doubt = await compare(client.http, server, tokenizer, ends)
    detail = f"{server.name} at {client.http.where} has {server.model}"
    if server.context_length:
        detail += f" with {server.context_length} tokens of context"
    if doubt:
        return Finding(what, "note", f"{detail}; {doubt}", "take vLLM or llama-server")
    return Finding(what, "ok", f"{detail} and the vocabulary of {model.name}")


def present(health: Health, what: str = "engine", where: str = "") -> Finding:
    """Say how an engine of ours is that answers, at `where` if it is elsewhere."""
    logs = "" if where else "opencoder-lsp engine logs"
    detail = f"{health.model} is {health.state}"
    if health.state == "error":
        return Finding(what, "bad", f"{detail}: {health.cause}", logs)
    if health.state == "loading":
        return Finding(what, "note", f"{detail} ({health.progress:.0%})", "wait for it")
    if health.state == "draining":
        return Finding(what, "note", f"{detail}: it ends", "the next editor starts another")
    place = f"at {where}" if where else f"process {health.pid}, {health.device}"
    return Finding(what, "ok", f"{detail} ({place})")
