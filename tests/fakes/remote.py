"""
A scripted server of another maker: vLLM's routes and words, llama-server's, or just OpenAI's.

    async with Remote("vLLM", tokenizer) as remote:
        remote.say("return 1", stop="<|im_end|>")   # ids that the next request makes it generate
        …
        remote.requests                             # what it was asked, by path

As the real ones were seen to do: vLLM ends at the stop ids of the request, counts at its end, and
refuses max_tokens 0; llama-server ends at its own end only, makes no text of control tokens, holds
the ids of half a character back, and says no [DONE]. A constraint (regex, grammar) bans control
tokens, so that what is scripted behind one is skipped.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opencoder_lsp.client.servers import Kind
from opencoder_lsp.prompt.tokenizer import Tokenizer
from tests.fakes.model_folder import FIRST, LAST
from tests.fakes.sse import EventStream
from tests.fakes.tcp_server import TcpServer

Json = dict[str, Any]
_OWNERS = {"vLLM": "vllm", "llama-server": "llamacpp", "other": "somebody"}


@dataclass
class Script:
    """What one request makes: token ids; `cut` says after how many the connection breaks."""

    ids: list[int] = field(default_factory=list)
    cut: int | None = None
    fault: Response | None = None


class Remote:
    """See the module. `end` is the id at which llama-server's model itself ends."""

    def __init__(
        self, kind: Kind, tokenizer: Tokenizer, *, end: int = -1, certificate: Path | None = None
    ) -> None:
        self.kind = kind
        self.tokenizer = tokenizer
        self.end = end
        self.key = ""  # that it wants
        self.version = "0.32.0"
        self.detokenizes = True
        self.cards: list[Json] = [{"id": "their-model"}]  # of the models that it lists
        self.vocabulary = tokenizer  # with which it reads ids
        names = [name for name in (*FIRST, *LAST) if tokenizer.has_control(name)]
        self.names = {tokenizer.control_id(name): name for name in names}
        self.requests: list[tuple[str, Json]] = []
        self.authorizations: list[str] = []
        self.left = 0  # streams whose client went before the end
        self.sent = 0  # tokens
        self._scripts = deque[Script]()
        self._pause_after: int | None = None
        self._change = asyncio.Event()
        self._secure = certificate is not None
        self._server = TcpServer(self._app(), certificate)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http{'s' if self._secure else ''}://127.0.0.1:{self._server.port}"

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._server.__aexit__(*exc)

    def say(self, text: str, stop: str = "", *, cut: int | None = None) -> None:
        """Let the next request make the ids of a text, and a control token behind it."""
        ids = self.tokenizer.encode(text)
        if stop:
            ids.append(self.tokenizer.control_id(stop))
        self._scripts.append(Script(ids, cut))

    def say_ids(self, ids: list[int]) -> None:
        """Let the next request make these ids."""
        self._scripts.append(Script(ids))

    def fail(self, response: Response) -> None:
        """Answer the next request so."""
        self._scripts.append(Script(fault=response))

    def pause_after(self, tokens: int) -> None:
        """Let streams stand still after that many tokens."""
        self._pause_after = tokens

    def break_connections(self) -> None:
        """Cut every connection."""
        self._server.abort_connections()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds."""
        while not condition():
            await self._change.wait()

    @property
    def completions(self) -> list[Json]:
        """The bodies of all requests for text."""
        return [body for _, body in self.requests]

    def _note(self) -> None:
        self._change.set()
        self._change = asyncio.Event()

    # Routes.

    def _app(self) -> Starlette:
        routes = [Route("/v1/models", self._models)]
        if self.kind == "llama-server":
            routes += [
                Route("/health", lambda _: JSONResponse({"status": "ok"})),
                Route("/props", self._props),
                Route("/completion", self._complete, methods=["POST"]),
                Route("/detokenize", self._detokenize, methods=["POST"]),
            ]
        else:
            routes += [Route("/v1/completions", self._complete, methods=["POST"])]
        if self.kind == "vLLM":
            routes += [
                Route("/health", lambda _: Response()),
                Route("/version", lambda _: JSONResponse({"version": self.version})),
                Route("/detokenize", self._detokenize, methods=["POST"]),
            ]
        return Starlette(routes=routes)

    def _refused(self, request: Request) -> Response | None:
        given = request.headers.get("authorization", "")
        self.authorizations.append(given)
        if self.key and given != f"Bearer {self.key}":
            return JSONResponse({"error": "Unauthorized"}, 401)
        return None

    async def _models(self, request: Request) -> Response:
        common: Json = {"object": "model", "owned_by": _OWNERS[self.kind]}
        if self.kind == "vLLM":
            common["max_model_len"] = 1024
        else:
            common["meta"] = {"n_ctx_train": 8192}
        cards = [{**common, **card} for card in self.cards]
        return self._refused(request) or JSONResponse({"object": "list", "data": cards})

    async def _props(self, request: Request) -> Response:
        props = {"n_ctx": 1024}
        body = {"default_generation_settings": props, "total_slots": 2, "build_info": "b1-test"}
        return self._refused(request) or JSONResponse(body)

    async def _detokenize(self, request: Request) -> Response:
        if not self.detokenizes:
            return JSONResponse({"detail": "Not Found"}, 404)
        ids = (await request.json())["tokens"]
        text = "".join(self.names.get(id) or self.vocabulary.decode([id]) for id in ids[:1])
        if len(ids) > 1:
            text = self.vocabulary.decode(ids)
        return JSONResponse({"content" if self.kind == "llama-server" else "prompt": text})

    async def _complete(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        body = await request.json()
        self.requests.append((request.url.path, body))
        self._note()
        script = self._scripts.popleft() if self._scripts else Script()
        if script.fault is not None:
            return script.fault
        if self.kind == "vLLM" and body["max_tokens"] < 1:
            return JSONResponse({"error": {"message": "max_tokens must be at least 1"}}, 400)
        return EventStream(lambda stream: self._speak(stream, body, script))

    async def _speak(self, stream: EventStream, body: Json, script: Script) -> None:
        llama = self.kind == "llama-server"
        ids = script.ids
        if "grammar" in body or "structured_outputs" in body:
            ids = [id for id in ids if id not in self.names or id == self.end]
        ids = ids[: body["n_predict" if llama else "max_tokens"]]
        try:
            await stream.begin("text/event-stream")
            number = 0
            events = self._llama(body, ids) if llama else self._openai(body, ids)
            for number, event in enumerate(events):
                if number == script.cut:
                    return
                while self._pause_after is not None and number >= self._pause_after:
                    await self._change.wait()
                await stream.send(event)
                self.sent += 1
                self._note()
            if not llama:
                usage = self._usage(body, ids[: number + 1] if ids else [])
                await stream.send({"choices": [], "usage": usage}, done=True)
            await stream.end()
        except asyncio.CancelledError:
            self.left += 1
            self._note()
            raise

    def _openai(self, body: Json, ids: list[int]) -> Iterator[Json]:
        decoder = self.tokenizer.decoder()
        ends = {self.end, *(body["stop_token_ids"] if self.kind == "vLLM" else ())}
        if body.get("ignore_eos"):
            ends.discard(self.end)
        for number, id in enumerate(ids):
            choice: Json = {"index": 0, "text": decoder.push(id), "finish_reason": None}
            if body.get("return_token_ids") and self.kind == "vLLM" and self.version > "0.1":
                choice["token_ids"] = [id]
            if body.get("logprobs") is not None:
                name = f"token_id:{id}"
                top = {name: -0.5, "token_id:7": -1.5}
                scores = {"tokens": [name], "token_logprobs": [-0.5], "top_logprobs": [top]}
                choice["logprobs"] = scores
            if id in ends or number == len(ids) - 1:
                choice["finish_reason"] = "stop" if id in ends else "length"
            yield {"choices": [choice]}
            if id in ends:
                return

    def _llama(self, body: Json, ids: list[int]) -> Iterator[Json]:
        held, made = b"", 0
        for id in ids:
            made += 1
            held += self.tokenizer.token_bytes(id)
            if id == self.end:
                break
            try:
                text, held = held.decode(), b""
            except UnicodeDecodeError:
                continue
            event: Json = {"content": text, "tokens": [id], "stop": False}
            event["tokens_predicted"] = made
            if body.get("n_probs"):
                likely = {"id": id, "logprob": -0.5}
                event["completion_probabilities"] = [{**likely, "top_logprobs": [likely]}]
            yield event
        yield {
            "content": "",
            "tokens": [],
            "stop": True,
            "stop_type": "eos" if ids[made - 1 : made] == [self.end] else "limit",
            "tokens_predicted": made,
            "tokens_evaluated": len(body["prompt"]),
            "timings": {"cache_n": 3},
        }

    def _usage(self, body: Json, ids: list[int]) -> Json:
        return {
            "prompt_tokens": len(body["prompt"]),
            "completion_tokens": len(ids),
            "prompt_tokens_details": {"cached_tokens": 3},
        }
