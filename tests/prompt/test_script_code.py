"""What a JavaScript or TypeScript file takes from its neighbours, and defines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencoder_lsp.prompt.definitions import Import
from opencoder_lsp.prompt.script_code import candidates, definitions, imports


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import { a, b as c } from './x';", [Import("./x", (("a", "a"), ("b", "c")))]),
        ('import {\n  a,\n  type T,\n} from "../y.js"', [("a", "T")]),
        ("import Button from './Button'", [Import("./Button", (), "Button")]),
        ("import * as util from './util'", [Import("./util", (), "util")]),
        ("import D, { e } from './d'", [Import("./d", (("e", "e"),), "D")]),
        ("export * from './all'", [Import("./all", (("*", "*"),))]),
        ("export { a } from './a'", [Import("./a", (("a", "a"),))]),
        ("const { a, b: c } = require('./r')", [Import("./r", (("a", "a"), ("b", "c")))]),
        ("const r = require('./r')", [Import("./r", (), "r")]),
        ("import React from 'react'", []),
        ("import './style.css'", []),
        ("important from './x'", []),
    ],
)
def test_what_is_taken_from_neighbours_is_found(code: str, expected: list[object]) -> None:
    found = imports(code)
    if expected and isinstance(expected[0], tuple):
        assert [tuple(there for there, _ in one.names) for one in found] == expected
    else:
        assert found == expected


def test_definitions_are_shown_by_their_first_lines() -> None:
    body = "".join(f"  step{n}();\n" for n in range(20))
    code = (
        f"export async function load(a: string): Promise<void> {{\n{body}}}\n"
        "export interface User {\n  name: string;\n}\n"
        "export const LIMIT = 3;\n"
        "export default class Store {\n  get() {}\n}\n"
        "  const inner = 1;\n"
        "type Id = string | number;\n"
    )
    found = definitions(code)
    assert list(found) == ["load", "User", "LIMIT", "Store", "Id"]
    assert found["User"].text == "export interface User {\n  name: string;\n}\n"
    assert found["load"].text.count("\n") == 12
    assert found["load"].head == "export async function load(a: string): Promise<void> {\n"


def test_a_file_is_looked_for_with_every_ending() -> None:
    paths = candidates("../lib/x", "/w/src/a.ts", ["/w"])
    assert paths[:3] == ["/w/lib/x.ts", "/w/lib/x.tsx", "/w/lib/x.js"]
    assert "/w/lib/x/index.ts" in paths
    assert candidates("./y.js", "/w/a.ts", ["/w"])[:2] == ["/w/y.js", "/w/y.ts"]


@given(st.text("import exportfrom'./{}*,=;\n()requiconst", max_size=200))
def test_whatever_is_written_can_be_looked_at(code: str) -> None:
    assert all(one.module.startswith(".") for one in imports(code))
    assert isinstance(definitions(code), dict)
