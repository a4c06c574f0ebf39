"""`opencoder.explain`: what the model is asked to do with a piece of an open document."""

from contextlib import AsyncExitStack
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from opencoder_lsp.lsp.answers import show_answer
from opencoder_lsp.lsp.arguments import ExplainArguments, Token
from opencoder_lsp.lsp.asking import ask, streamer
from opencoder_lsp.lsp.chat import remember
from opencoder_lsp.lsp.progress import work_done
from opencoder_lsp.lsp.selection import selection_of
from opencoder_lsp.prompt.tasks import explain

if TYPE_CHECKING:
    from opencoder_lsp.lsp.server import Server


async def explain_command(
    ls: "Server", arguments: ExplainArguments, work_done_token: Token | None
) -> dict[str, Any]:
    """Explain a part of an open document."""
    selection = selection_of(ls, arguments.uri, arguments.lsp_range())
    messages = explain(selection)
    on_text = streamer(ls, arguments.token)
    async with AsyncExitStack() as stack:
        if arguments.show or work_done_token is not None:
            title = "OpenCoder: explaining"
            line = work_done(ls, title, token=work_done_token, cancellable=True)
            await stack.enter_async_context(line)
        answer = await ask(ls, messages, on_text)
    conversation = await remember(ls, messages[-1].content, answer)
    if arguments.show:
        name = PurePosixPath(selection.path).name or "code"
        await show_answer(ls, f"Explanation of {name}", answer.text)
    return {
        "conversationId": conversation,
        "text": answer.text,
        "finishReason": answer.finish_reason,
    }
