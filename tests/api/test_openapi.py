"""The description of the API, and whether the API keeps to it."""

import asyncio
import re
from typing import Any

import aiohttp
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from pydantic import BaseModel
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from opencoder_lsp.api import openapi
from opencoder_lsp.api.schemas import ChatCompletion, ChatCompletionChunk, TextCompletion
from tests.api.conftest import Api
from tests.api.process import ServeProcess
from tests.fakes.engine import FakeEngine

EXPLORING = settings(
    max_examples=60,
    deadline=None,
    database=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),  # a failure is shown as it is found
    suppress_health_check=list(HealthCheck),
)
# Values that no schema can say are wrong: names of models, ids of tokens, lengths in tokens.
UNDESCRIBED = (
    *("model", "logit_bias", "stop_token_ids", "max_tokens", "max_completion_tokens"),
    *("top_logprobs", "continue_final_message"),
)
CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]


async def test_every_answer_is_as_described(api: Api, fake: FakeEngine) -> None:
    def check(kind: type[BaseModel], answer: Any) -> None:
        kind.model_validate(answer)

    scored: dict[str, Any] = {"logprobs": True, "top_logprobs": 2}
    check(ChatCompletion, await api.ask(n=2))
    check(ChatCompletion, await api.ask(**scored))
    usage: dict[str, Any] = {"stream_options": {"include_usage": True}}
    for body in ({}, usage, {**scored, **usage}):
        for chunk in (await api.stream(**body))[:-1]:
            check(ChatCompletionChunk, chunk)
    text: dict[str, Any] = {"prompt": "x", "logprobs": 1}
    check(TextCompletion, await api.ask("/v1/completions", **text))
    for chunk in (await api.stream("/v1/completions", **text, **usage))[:-1]:
        check(TextCompletion, chunk)


async def test_every_route_of_openais_is_described(api: Api) -> None:
    described = openapi.document()["paths"]
    for route in api.app.routes:
        path = route.path.replace(":path", "")
        if path.startswith("/v1/"):
            assert path in described


async def test_the_page_shows_every_field_and_loads_nothing(api: Api) -> None:
    async with api.session.get(f"{api.url}/docs") as response:
        assert response.status == 200
        assert response.headers["content-security-policy"].startswith("default-src 'none'")
        page = await response.text()
    for name in ("messages", "continue_final_message", "logit_bias", "suffix", "forced_prefix"):
        assert f"<code>{name}</code>" in page
    assert not re.search(r"<script|<link|<img|https?://", page)
    async with api.session.get(f"{api.url}/openapi.json") as response:
        assert await response.json() == openapi.document()


@pytest.mark.fault("F42", "S14")
async def test_whatever_the_description_allows_gets_an_answer_that_it_describes(
    process: ServeProcess,
) -> None:
    url = process.url.removesuffix("/v1")
    await asyncio.to_thread(explore, url)
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as response:
        counted = await response.text()
    for path in ("/v1/chat/completions", "/v1/completions"):
        for status in (200, 400):
            assert f'responses_total{{route="{path}",status="{status}"}}' in counted


def mend(body: dict[str, Any]) -> None:
    """Leave out what is wrong in most cases, so that some get as far as the engine."""
    for name in UNDESCRIBED:
        body.pop(name, None)
    if messages := body.get("messages"):
        body["messages"] = [
            message | {"content": "hello"} if message.get("content") in (None, "") else message
            for message in [*messages, {"role": "user"}]
            if isinstance(message, dict)
        ]


def explore(url: str) -> None:
    """Send what the description allows, and what it does not, to every operation."""
    schema = schemathesis.openapi.from_dict(openapi.document())
    for path, methods in openapi.document()["paths"].items():
        for method in methods:
            cases = schema[path][method].as_strategy()

            @EXPLORING
            @given(case=cases)
            def check(case: schemathesis.Case[Any]) -> None:
                if isinstance(case.body, dict):
                    mend(case.body)
                response = case.call(base_url=url)
                case.validate_response(response, checks=CHECKS)

            check()
