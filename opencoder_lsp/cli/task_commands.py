"""The commands that work on a part of a file, their arguments and their help."""

from typing import TYPE_CHECKING, Annotated

import typer

from opencoder_lsp.cli.options import JsonOption, SetOption
from opencoder_lsp.errors import SettingsError

if TYPE_CHECKING:
    from opencoder_lsp.cli.tasks import TaskName

_Part = Annotated[
    str,
    typer.Argument(
        metavar="FILE[:FIRST-LAST]",
        help="Lines of a file, from 1; FILE:LINE is the function around a line.",
    ),
]
_Wish = Annotated[str, typer.Argument(help="What else to mind.")]
_Apply = Annotated[
    bool, typer.Option("--apply", help="Write the file, unless it has changed meanwhile.")
]


def add_task_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (explain, fix, document, write_tests, refactor):
        app.command("test" if command is write_tests else None)(command)


def explain(part: _Part, pairs: SetOption = None, json: JsonOption = False) -> None:
    """Explain a file or a part of it."""
    from opencoder_lsp.cli.tasks import parse_part, run_explain

    raise typer.Exit(run_explain(parse_part(part), pairs or [], as_json=json))


def fix(
    part: _Part,
    wish: _Wish = "",
    pairs: SetOption = None,
    apply: _Apply = False,
    json: JsonOption = False,
) -> None:
    """Let the model fix code, and print the diff."""
    _edit("fix", part, wish, pairs, apply, json)


def document(
    part: _Part,
    wish: _Wish = "",
    pairs: SetOption = None,
    apply: _Apply = False,
    json: JsonOption = False,
) -> None:
    """Let the model document a function or class (FILE:LINE), and print the diff."""
    _edit("document", part, wish, pairs, apply, json)


def write_tests(
    part: _Part,
    wish: _Wish = "",
    pairs: SetOption = None,
    apply: _Apply = False,
    json: JsonOption = False,
) -> None:
    """Let the model write tests into a new file beside the project's others, and print it."""
    _edit("test", part, wish, pairs, apply, json)


def refactor(
    part: _Part,
    wish: Annotated[str, typer.Argument(help="What to do; without it, make it simpler.")] = "",
    pairs: SetOption = None,
    apply: _Apply = False,
    json: JsonOption = False,
) -> None:
    """Let the model rewrite code as you say, and print the diff."""
    _edit("refactor", part, wish, pairs, apply, json)


def _edit(
    task: "TaskName", text: str, wish: str, pairs: list[str] | None, apply: bool, json: bool
) -> None:
    from opencoder_lsp.cli.tasks import parse_part, run_edit

    part = parse_part(text)
    if task == "document" and part.first is None:
        raise SettingsError("say which function or class to document: document FILE:LINE")
    raise typer.Exit(run_edit(task, part, wish, pairs or [], apply=apply, as_json=json))
