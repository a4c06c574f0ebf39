"""How the client's settings come here: asked for at the start and whenever they change."""

import asyncio
import logging
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from opencoder_lsp.lsp.configuration import SECTION

if TYPE_CHECKING:
    from opencoder_lsp.lsp.server import Server

log = logging.getLogger(__name__)


async def begin(ls: "Server") -> None:
    """Ask for the settings, and to be told of changes, where the client can do so."""
    if _can_be_asked(ls):
        # In this order on the wire, so that no change goes unseen; but a client that refuses to
        # watch, or does not answer, is asked all the same.
        await asyncio.gather(_watch(ls), _pull(ls))


async def changed(ls: "Server", settings: object) -> None:
    """Take `workspace/didChangeConfiguration`; clients that can be asked send nothing in it."""
    if _can_be_asked(ls):
        await _pull(ls)
    elif isinstance(settings, dict):
        ls.configure(settings.get(SECTION))


def _can_be_asked(ls: "Server") -> bool:
    workspace = ls.client_capabilities.workspace
    return bool(workspace and workspace.configuration)


async def _pull(ls: "Server") -> None:
    items = [types.ConfigurationItem(section=SECTION)]
    try:
        answer = await ls.workspace_configuration_async(types.ConfigurationParams(items))
    except JsonRpcException:
        log.info("the client did not tell its settings")
    else:
        ls.configure(answer[0] if answer else None)


async def _watch(ls: "Server") -> None:
    workspace = ls.client_capabilities.workspace
    change = workspace and workspace.did_change_configuration
    if change and change.dynamic_registration:
        method = types.WORKSPACE_DID_CHANGE_CONFIGURATION
        options = types.DidChangeConfigurationRegistrationOptions(section=SECTION)
        registration = types.Registration("configuration", method, options)
        params = types.RegistrationParams([registration])
        try:
            await ls.client_register_capability_async(params)
        except JsonRpcException:
            log.info("the client refused to tell of changed settings")
