"""Which imports of a file a piece of its code needs."""

import pytest

from opencoder_lsp.prompt.import_statements import (
    import_statements,
    imports_of_head,
    leads_nearby,
)


@pytest.mark.parametrize(
    ("text", "code", "expected"),
    [
        ("import os\nimport sys\n", "os.getcwd()", "import os"),
        ("from a.b import c as d\n", "d()", "from a.b import c as d"),
        (
            "from a import (\n    b,\n    c,\n)\nx = 1\n",
            "c()",
            "from a import (\n    b,\n    c,\n)",
        ),
        ('"""\nfrom the list, use it\n"""\n', "use list", ""),
        ("import os\n", "import os\nos.getcwd()", ""),
        ("import os\r\nimport re\r\n", "re.sub", "import re"),
        ('import {\n  a,\n} from "./x";\n', "a()", 'import {\n  a,\n} from "./x";'),
        ('const fs = require("fs")\n', "fs.x", 'const fs = require("fs")'),
        ('import (\n\t"fmt"\n)\n', "fmt.Println()", 'import (\n\t"fmt"\n)'),
        ("use std::io;\nuse a::{\n    b,\n};\n", "b::c()", "use a::{\n    b,\n};"),
        ("#include <stdio.h>\n", "main()", "#include <stdio.h>"),
        ("require 'json'\n", "json(1)", "require 'json'"),
    ],
)
def test_statements_that_name_something_in_the_code_are_shown(
    text: str, code: str, expected: str
) -> None:
    assert import_statements(text, code) == expected


def test_there_are_not_too_many() -> None:
    text = "".join(f"import m{number}\n" for number in range(99))
    assert import_statements(text, text.replace("import ", "x = ")).count("\n") == 39


def test_one_that_is_never_closed_ends_somewhere() -> None:
    assert import_statements("import (\n" + "a\n" * 999, "a").count("\n") == 59


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"""A."""\n\nimport os\nfrom a import b\n\nx = 1\n', ["import os", "from a import b"]),
        (
            "import os\r\nfrom a import (\r\n    b,\r\n)\r\n",
            ["import os", "from a import (\n    b,\n)"],
        ),
        ("import os\nimport os\n", ["import os"]),
        ("def f():\n    import os\n", []),  # for the function alone
        ('def f():\n    """\n    import os\n', []),
        ('package a\n\nimport (\n\t"fmt"\n)\n', ['import (\n\t"fmt"\n)']),
        ('import "```"\nimport b\n', ["import b"]),  # which would end the fence around it
        ("x = 1\n" * 9_000 + "import os\n", []),
    ],
)
def test_those_at_the_head_of_a_file_are_all_shown(text: str, expected: list[str]) -> None:
    assert list(imports_of_head(text)) == expected


@pytest.mark.parametrize(
    ("statement", "path", "expected"),
    [
        ("from . import models", "app.py", True),
        ("from .models import User", "app.py", True),
        ("from shop.models import User", "shop/views.py", True),
        ("import shop.models", "src/shop/views.py", True),
        ("from views import Page", "views.py", True),
        ("import os", "shop/os_tools.py", False),
        ("from typing import Any", "shop/views.py", False),
        ("import React from 'react'", "src/view.tsx", False),
        ("import { view } from './view'", "src/app.ts", True),
        ('const view = require("../view")', "src/app.js", True),
        ("use crate::models::User;", "src/main.rs", True),
        ("use std::fs;", "src/main.rs", False),
        ('#include "list.h"', "src/list.c", True),
        ("#include <stdio.h>", "src/list.c", False),
        ("require_relative 'user'", "lib/shop.rb", True),
        ("import com.shop.User;", "src/com/shop/Page.java", True),
        ("import java.util.List;", "src/com/shop/Page.java", False),
        ("import", "a.py", False),
    ],
)
def test_a_project_s_own_imports_are_told_from_others(
    statement: str, path: str, expected: bool
) -> None:
    assert leads_nearby(statement, path) is expected
