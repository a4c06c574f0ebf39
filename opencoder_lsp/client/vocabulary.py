"""Whether another maker's server has the model's vocabulary: ids mean nothing otherwise."""

from collections.abc import Sequence
from typing import Any

from opencoder_lsp.client.dialects import dialect_of
from opencoder_lsp.client.engine import Completer, EngineClient
from opencoder_lsp.client.foreign import ForeignClient
from opencoder_lsp.client.http import Http
from opencoder_lsp.client.servers import Server, post
from opencoder_lsp.errors import EngineError, EngineUnavailableError
from opencoder_lsp.prompt.tokenizer import Tokenizer

# Indentation, digits, several bytes a character; nothing that a decoder would tidy up.
PROBE = "def area(x1, größe):\n        return 3.14159 * x1**2  # 汉字🎉\n\tNone"


async def speaking(
    client: EngineClient, tokenizer: Tokenizer, stop_ids: Sequence[int]
) -> tuple[Completer, str]:
    """
    Return how to ask what `client` has found to be another maker's server, and what is in doubt.

    Raises EngineError where it has another vocabulary.
    """
    assert client.server is not None
    doubt = await compare(client.http, client.server, tokenizer, stop_ids)
    return ForeignClient(client.http, dialect_of(client.server), tokenizer), doubt


async def compare(http: Http, server: Server, tokenizer: Tokenizer, stop_ids: Sequence[int]) -> str:
    """
    Return what keeps the vocabularies from being compared, for the user; "" where they agree.

    Raises EngineError where they differ: the server would answer to something else.
    """
    cannot = f"it cannot be found out whether {server.name} at {http.where} has the vocabulary of"
    cannot = f"{cannot} the model set here; if not, its answers are nonsense"
    if server.kind == "other":
        return f"{cannot}, and whether it ends at {len(stop_ids)} token ids is not known either"
    text = await _text(http, server, tokenizer.encode(PROBE))
    if text is None:
        return cannot
    same = text.lstrip() == PROBE
    for id in stop_ids:
        name = await _text(http, server, [id])
        same = same and name is not None and _is_named(id, name.strip(), tokenizer)
    if not same:
        raise EngineError(
            f"{server.model} at {http.where} has another vocabulary than the model set here; set "
            "model.name (or completion.model, chat.model) to the model that runs there (its "
            "tokenizer is enough: models pull --tokenizer-only)"
        )
    return ""


def _is_named(id: int, name: str, tokenizer: Tokenizer) -> bool:
    """Tell whether a control token may have this name; some servers give it none."""
    return not name or (tokenizer.has_control(name) and tokenizer.control_id(name) == id)


async def _text(http: Http, server: Server, ids: list[int]) -> str | None:
    """Return the text that the server makes of ids; None where it does not say."""
    body: dict[str, Any] = {"tokens": ids}
    name = "content"
    if server.kind == "vLLM":
        body["model"], name = server.model, "prompt"
    try:
        found = await post(http, "/detokenize", body)
    except EngineUnavailableError:
        raise
    except EngineError:  # a proxy, or a server without this route; or an id that it has not
        return None
    text = found.get(name) if isinstance(found, dict) else None
    return text if isinstance(text, str) else None
