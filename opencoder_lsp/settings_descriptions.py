"""What is said of a setting: in error messages, in help texts and in the README's table."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

ENV_PREFIX = "OPENCODER_"
Scope = Literal["machine", "window"]


@dataclass(frozen=True, slots=True)
class Description:
    """One setting; `name` is dotted, `type` for people."""

    name: str
    type: str
    default: Any
    help: str
    scope: Scope

    @property
    def section(self) -> str:
        """The first part of its name."""
        return self.name.partition(".")[0]

    @property
    def variable(self) -> str:
        """Its environment variable: `engine.url` → `OPENCODER_ENGINE_URL`."""
        return env_name(self.name)


def env_name(name: str) -> str:
    """Return the environment variable of a setting or a section."""
    return ENV_PREFIX + name.replace(".", "_").upper()


def described(settings: type[BaseModel]) -> Iterator[Description]:
    """Describe every field of every section of `settings`, in the order of their definition."""
    for section, field in settings.model_fields.items():
        model = field.annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        schema = model.model_json_schema()["properties"]
        for key, info in model.model_fields.items():
            extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
            yield Description(
                f"{section}.{key}",
                _type_name(schema[key]),
                info.default,
                info.description or "",
                "machine" if extra.get("scope") == "machine" else "window",
            )


def _type_name(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " · ".join(f"`{value}`" for value in schema["enum"] if value)
    if "anyOf" in schema:
        return " or ".join(_type_name(part) for part in schema["anyOf"])
    if "const" in schema:
        return f"`{schema['const']}`"
    return {
        "array": "list",
        "integer": "integer",
        "number": "number",
        "boolean": "true or false",
    }.get(schema["type"], "text")


def markdown_table(descriptions: Iterable[Description]) -> str:
    """Return the table of settings for the README, which a test compares with this."""
    rows = ["| setting | type | default | scope | what it does |", "|---|---|---|---|---|"]
    for d in descriptions:
        default = json.dumps(d.default) if d.default != "" else '""'
        rows.append(f"| `{d.name}` | {d.type} | `{default}` | {d.scope} | {d.help} |")
    return "\n".join(rows)
