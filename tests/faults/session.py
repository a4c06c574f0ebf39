"""What the tests of faults say to a bare server."""

import asyncio
import sys
from typing import Any

from tests.protocol.raw import RawServer

URI = "file:///project/a.py"
STATUS = ("workspace/executeCommand", {"command": "opencoder.status"})
RUN = (
    "import sys\n"
    "from opencoder_lsp.lsp.server import run\n"
    "from opencoder_lsp.settings import from_process\n"
    "sys.exit(run(from_process()))\n"
)


def patched(
    env: dict[str, str], prelude: str, *, stderr: int = asyncio.subprocess.PIPE
) -> RawServer:
    """Return our server, not started, in whose process something else is run first."""
    return RawServer([sys.executable, "-c", prelude + RUN], env, stderr=stderr)


def document(text: str, uri: str = URI, version: int = 1) -> dict[str, Any]:
    """Return the params of `textDocument/didOpen`."""
    item = {"uri": uri, "languageId": "python", "version": version, "text": text}
    return {"textDocument": item}


def ask(line: int, character: int, uri: str = URI, *, invoked: bool = True) -> dict[str, Any]:
    """Return the params of `textDocument/inlineCompletion`; who invokes waits for the engine."""
    return {
        "textDocument": {"uri": uri},
        "position": {"line": line, "character": character},
        "context": {"triggerKind": 1 if invoked else 2},
    }


def chat(message: str) -> dict[str, Any]:
    """Return the params of a chat's command."""
    return {"command": "opencoder.chat", "arguments": [{"message": message}]}


async def works(raw: RawServer, request_id: Any = "works") -> list[dict[str, Any]]:
    """Check that a request is answered; return what else was sent before the answer."""
    raw.send(*STATUS, request_id=request_id)
    others = []
    while (message := await raw.receive()).get("id") != request_id or "method" in message:
        others.append(message)
    assert message["result"]["version"]
    return others


async def suggested(raw: RawServer, request_id: Any, params: dict[str, Any]) -> str | None:
    """Ask for an inline completion and return its text, None where there is none."""
    response = await raw.request(request_id, "textDocument/inlineCompletion", params)
    result = response["result"]
    return result["items"][0]["insertText"] if result else None


def popups(messages: list[dict[str, Any]]) -> list[str]:
    """Return what was shown to the user."""
    return [
        message["params"]["message"]
        for message in messages
        if message.get("method") == "window/showMessage"
    ]
