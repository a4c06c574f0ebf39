"""
Which kind of server answers at an address that is no engine of ours: asked once, never guessed.

`/v1/models` names its maker (`owned_by`), model and length; the rest is in routes of its own:
vLLM's `/version`, llama-server's `/props` (its context is that of a slot, which the model's own
length is not).
"""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from opencoder_lsp.client.http import Http
from opencoder_lsp.client.wire import Health, parse_json
from opencoder_lsp.errors import EngineError

Kind = Literal["vLLM", "llama-server", "other"]
_MOST_NAMES = 8  # in a message
_MAKERS: dict[str, Kind] = {"vllm": "vLLM", "llamacpp": "llama-server"}


@dataclass(frozen=True)
class Server:
    """
    A server of another maker. `model` is its name for the model, `slots` how many requests run.

    `context_length` is in tokens, it and `slots` 0 where the server does not say.
    """

    kind: Kind
    model: str
    context_length: int = 0
    version: str = ""
    slots: int = 0

    @property
    def name(self) -> str:
        """Say what it is, for people."""
        kind = "a server of unknown make" if self.kind == "other" else self.kind
        return f"{kind} {self.version}".strip()

    def health(self) -> Health:
        """Return it as our engine would put it."""
        return Health(
            state="ready",
            progress=1.0,
            model=self.model,
            version=self.version,
            context_length=self.context_length,
            slots=self.slots,
        )


class _Lenient(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class _Meta(_Lenient):
    n_ctx: int | None = None
    n_ctx_train: int | None = None


class _Card(_Lenient):
    id: str
    owned_by: str = ""
    root: str | None = None  # where it comes from; vLLM may have several names for one model
    parent: str | None = None  # what it adapts (LoRA)
    max_model_len: int | None = None
    meta: _Meta | None = None


class _Listing(_Lenient):
    data: list[_Card]


class _Settings(_Lenient):
    n_ctx: int = 0


class _Props(_Lenient):
    default_generation_settings: _Settings = _Settings()
    total_slots: int = 0
    build_info: str = ""


async def find(http: Http, model: str = "") -> Server:
    """
    Ask what server it is. Of several models it is asked for the one that is called like `model`.

    Raises EngineError where it lists no models, or several and none so called.
    """
    try:
        cards = _Listing.model_validate(await get(http, "/v1/models")).data
    except ValidationError:
        cards = []
    if not cards:
        raise EngineError(f"what answers at {http.where} is not an engine")
    card = _meant(cards, model, http.where)
    kind = _MAKERS.get(card.owned_by, "other")
    if kind == "llama-server":
        return await _llama_server(http, card)
    version = await _vllm_version(http) if kind == "vLLM" else ""
    meta = card.meta or _Meta()
    length = card.max_model_len or meta.n_ctx or meta.n_ctx_train or 0
    return Server(kind, card.id, length, version)


def _meant(cards: list[_Card], model: str, where: str) -> _Card:
    cards = [card for card in cards if not card.parent] or cards
    if len({card.root or card.id for card in cards}) == 1:
        return cards[0]
    for card in cards:
        if _bare(card.id) == _bare(model):
            return card
    names = ", ".join(card.id for card in cards[:_MOST_NAMES])
    raise EngineError(
        f"{where} serves several models ({names}), and none is called like the one set here "
        f"({_bare(model)}): set model.name, or completion.model and chat.model, to the one that is "
        "meant, or give it that name there"
    )


def _bare(name: str) -> str:
    """Return a model's name without the folder or the organisation that it is in."""
    return name.rstrip("/").rpartition("/")[2].casefold()


async def _llama_server(http: Http, card: _Card) -> Server:
    try:
        props = _Props.model_validate(await get(http, "/props"))
    except (EngineError, ValidationError):  # a proxy need not let it through
        props = _Props()
    meta = card.meta or _Meta()
    length = props.default_generation_settings.n_ctx or meta.n_ctx or 0
    return Server("llama-server", card.id, length, props.build_info, props.total_slots)


async def _vllm_version(http: Http) -> str:
    try:
        found = await get(http, "/version")
    except EngineError:  # likewise
        return ""
    version = found.get("version") if isinstance(found, dict) else None
    return version if isinstance(version, str) else ""


async def get(http: Http, path: str) -> Any:
    """Return the JSON at a path, None where it is none; raises EngineError."""
    async with http.request("GET", path) as answer:
        return parse_json(await answer.body())


async def post(http: Http, path: str, body: dict[str, Any]) -> Any:
    """Return the JSON that a body is answered with, None where it is none; raises EngineError."""
    async with http.request("POST", path, body) as answer:
        return parse_json(await answer.body())
