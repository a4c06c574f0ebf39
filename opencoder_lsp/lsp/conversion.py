"""
JSON into lsprotocol's types: strict, so that a mistake is told, but for `initialize`.

lsprotocol's converter makes integers of `"0"`, `0.5` and `true` and strings of anything; a request
that means something else would be answered as if it had been understood. And it refuses whole
messages for one value that it does not know: an editor that is newer than lsprotocol names such
values among its capabilities, and must not be left without a server for that.
"""

import logging
import types as python
import typing
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import attrs
from cattrs import Converter
from lsprotocol import types
from pygls.protocol import default_converter

log = logging.getLogger(__name__)

# Names of which LSP knows some, and clients others.
_OPEN_NAMES: tuple[Any, ...] = (
    types.LanguageKind | str,
    types.CodeActionKind | str,
    types.FoldingRangeKind | str,
    types.PositionEncodingKind | str,
)


def make_converter() -> Converter:
    """Return pygls' converter, strict about integers, strings and tokens of progress."""
    converter: Converter = default_converter()  # type: ignore[no-untyped-call]
    converter.register_structure_hook(int, partial(_primitive, _integer))
    converter.register_structure_hook(str, partial(_primitive, _string))
    optional_token: Any = types.ProgressToken | None
    converter.register_structure_hook(types.ProgressToken, lambda value, _: _token(value))
    converter.register_structure_hook(
        optional_token, lambda value, _: None if value is None else _token(value)
    )
    for names in _OPEN_NAMES:  # of which lsprotocol takes numbers and null, too
        converter.register_structure_hook(names, lambda value, _: _string(value))
    return converter


def structured(converter: Converter, method: str, params: Any) -> Any:
    """
    Return the params of a message of the client as lsprotocol has them; unknown ones as they are.

    Raises whatever cattrs does for params that are not as LSP says.
    """
    kinds = types.METHOD_TO_TYPES.get(method)
    if kinds is None or kinds[2] is None:
        return params
    kind: Any = kinds[2]
    if method == types.INITIALIZE:
        return _tolerant(converter, params, kind)
    return converter.structure(params, kind)


def _primitive(check: Callable[[Any], Any], value: Any, kind: type) -> Any:
    """Check a value of the type that `check` is for; cattrs comes here for its subclasses, too."""
    return check(value) if kind in (int, str) else kind(value)


def _tolerant(converter: Converter, value: Any, kind: type[types.InitializeParams]) -> Any:
    """
    Return the params of `initialize` without those parts that are not as LSP says.

    What is left out counts as not given. Raises ValueError where `value` is no object at all.
    """
    if not isinstance(value, dict):
        raise ValueError("the params of initialize are no object")
    if _fits(converter, value, kind):
        return converter.structure(value, kind)
    log.info("parts of the editor's initialize are not as LSP says and are left out")
    whole = {"capabilities": {}, **value}
    if not isinstance(whole["capabilities"], dict):
        whole["capabilities"] = {}
    return converter.structure(_pruned(converter, whole, kind), kind)


def _pruned(converter: Converter, value: dict[str, Any], kind: type) -> dict[str, Any]:
    """Return the object without what cannot be structured; required fields may be missing."""
    kept = dict(value)
    for field in attrs.fields(kind):
        name = _camel_case(field.name)
        if name not in kept or _fits(converter, kept[name], field.type):
            continue
        inner = next(_classes(field.type), None)
        part = kept.pop(name)
        if inner is not None and isinstance(part, dict):
            less = _pruned(converter, part, inner)
            if _fits(converter, less, inner):
                kept[name] = less
    return kept


def _fits(converter: Converter, value: Any, kind: Any) -> bool:
    try:
        converter.structure(value, kind)
    except Exception:  # boundary: cattrs and lsprotocol raise whatever the value provokes
        return False
    return True


def _classes(kind: Any) -> Iterator[type]:
    """Yield the classes of LSP objects among the types that a field may have."""
    if typing.get_origin(kind) in (typing.Union, python.UnionType):
        for choice in typing.get_args(kind):
            yield from _classes(choice)
    elif isinstance(kind, type) and attrs.has(kind):
        yield kind


def _camel_case(name: str) -> str:
    first, *others = name.rstrip("_").split("_")
    return first + "".join(word.capitalize() for word in others)


def _integer(value: Any) -> int:
    """Some clients have no integers: their 5 is 5.0."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("not an integer")
    return value


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a string")
    return value


def _token(value: Any) -> types.ProgressToken:
    return value if isinstance(value, str) else _integer(value)
