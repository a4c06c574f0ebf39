"""The API described: as an OpenAPI document, and as a page of our own that shows it."""

from functools import cache
from html import escape
from typing import Any

from pydantic.json_schema import models_json_schema

from opencoder_lsp import __version__
from opencoder_lsp.api.schemas import (
    ChatCompletion,
    ChatCompletionChunk,
    Health,
    Model,
    ModelList,
    Problem,
    TextCompletion,
)
from opencoder_lsp.api.wire import ChatBody, TextBody

Json = dict[str, Any]
_MODELS = (
    *(ChatBody, TextBody, ChatCompletion, ChatCompletionChunk, TextCompletion),
    *(Model, ModelList, Health, Problem),
)
_REFUSALS = {
    "400": "Something in the request is wrong; `param` names it",
    "401": "A key is needed",
    "403": "This Host or Origin is not let in",
    "404": "There is no such model",
    "405": "There is no such method",
    "408": "The body did not come in time",
    "413": "The body is too long",
    "415": "The content type is not application/json",
    "429": "Too many wait already; try again after Retry-After",
    "500": "The engine failed",
    "503": "The engine is loading, or is not there; try again after Retry-After",
}
_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;"
    "color-scheme:light dark}code{font-family:ui-monospace,monospace}"
    "td,th{text-align:left;vertical-align:top;padding:.2rem 1rem .2rem 0}"
)
# What the page may do: nothing but show itself.
CSP = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"


@cache
def document() -> Json:
    """Return the OpenAPI document, made from the models that check what comes."""
    modes: Any = [(model, "validation") for model in _MODELS]
    _, schemas = models_json_schema(modes, ref_template="#/components/schemas/{model}")
    events = {"text/event-stream": {"schema": {"type": "string"}}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "OpenCoder",
            "version": __version__,
            "description": "OpenAI's ChatCompletions API, on the engine that editors share.",
        },
        "paths": {
            "/v1/chat/completions": {
                "post": _post("Answer a conversation", ChatBody, ChatCompletion, events)
            },
            "/v1/completions": {
                "post": _post("Go on with a text, or fill a gap", TextBody, TextCompletion, events)
            },
            "/v1/models": {"get": _get("The model that runs", ModelList)},
            "/v1/models/{model}": {
                "get": _get("The model, by any of its names", Model) | {"parameters": [_PARAMETER]}
            },
            "/health": {"get": _get("How the server is", Health, "503")},
        },
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"key": []}],
    }


_PARAMETER = {"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}


def _get(summary: str, model: type, other: str = "") -> Json:
    responses: Json = {"200": _content(summary, model)} | _refusals("401", "403", "404", "503")
    if other:  # the same object, with another status
        responses[other] = _content(summary, model)
    return {"summary": summary, "responses": responses}


def _post(summary: str, body: type, answer: type, events: Json) -> Json:
    whole = _content("The answer, or with `stream` its chunks", answer)
    whole["content"] |= events
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": _json(body)},
        "responses": {"200": whole} | _refusals(*_REFUSALS),
    }


def _refusals(*statuses: str) -> Json:
    return {status: _content(_REFUSALS[status], Problem) for status in statuses}


def _content(description: str, model: type) -> Json:
    return {"description": description, "content": _json(model)}


def _json(model: type) -> Json:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}


@cache
def page() -> str:
    """Return the document as a page without scripts or anything from elsewhere."""
    described = document()
    parts = [f"<h1>{escape(described['info']['title'])} {escape(__version__)}</h1>"]
    parts.append(f"<p>{escape(described['info']['description'])} ")
    parts.append('The whole description, for tools: <a href="openapi.json">openapi.json</a></p>')
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            parts.append(f"<h2><code>{method.upper()} {escape(path)}</code></h2>")
            parts.append(f"<p>{escape(operation['summary'])}</p>")
            if "requestBody" in operation:
                parts.append(_fields(described, operation["requestBody"]))
    body = "".join(parts)
    head = f'<meta charset="utf-8"><title>OpenCoder</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>'


def _fields(described: Json, body: Json) -> str:
    name = body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    rows = [
        f"<tr><td><code>{escape(field)}</code></td><td>{escape(_kind(schema))}</td>"
        f"<td>{escape(schema.get('description', ''))}</td></tr>"
        for field, schema in described["components"]["schemas"][name]["properties"].items()
    ]
    return f"<table>{''.join(rows)}</table>"


def _kind(schema: Json) -> str:
    """Return a schema in a few words."""
    if "anyOf" in schema:
        kinds = [_kind(one) for one in schema["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"list of {_kind(schema['items'])}"
    bounds = [
        f"{sign} {schema[name]:g}"
        for name, sign in [
            ("minimum", "≥"),
            ("exclusiveMinimum", ">"),
            ("maximum", "≤"),
            ("exclusiveMaximum", "<"),
        ]
        if name in schema
    ]
    return " ".join([kind, *bounds])
