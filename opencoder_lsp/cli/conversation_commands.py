"""`opencoder-lsp conversations`: its commands, their arguments and their help."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from opencoder_lsp.cli.options import JsonOption

conversations_app = typer.Typer(
    help="List, show, rename, delete and export conversations.", no_args_is_help=True
)
_Id = Annotated[str, typer.Argument(metavar="ID", help="The beginning of its id, as in `list`.")]


class _Format(Enum):
    MARKDOWN = "markdown"
    JSON = "json"


@conversations_app.command("list")
def conversations_list(
    everywhere: Annotated[bool, typer.Option("--all", help="Those of other folders, too.")] = False,
    json: JsonOption = False,
) -> None:
    """List the conversations of this folder, the newest first."""
    from opencoder_lsp.cli.conversations import print_list

    print_list(everywhere=everywhere, as_json=json)


@conversations_app.command("show")
def conversations_show(id: _Id, json: JsonOption = False) -> None:
    """Print all of a conversation."""
    from opencoder_lsp.cli.conversations import show

    show(id, as_json=json)


@conversations_app.command("rename")
def conversations_rename(
    id: _Id, title: Annotated[str, typer.Argument(help="Its new title.")]
) -> None:
    """Give a conversation another title."""
    from opencoder_lsp.cli.conversations import rename

    rename(id, title)


@conversations_app.command("delete")
def conversations_delete(
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help="The beginnings of their ids.")],
) -> None:
    """Delete conversations; nothing of them stays in the file."""
    from opencoder_lsp.cli.conversations import delete

    delete(ids)


@conversations_app.command("export")
def conversations_export(
    id: _Id,
    format: Annotated[_Format, typer.Option("--format", help="JSON has everything.")] = (
        _Format.MARKDOWN
    ),
    path: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Not to standard output.")
    ] = None,
) -> None:
    """Write all of a conversation to standard output or into a new file."""
    from opencoder_lsp.cli.conversations import export

    export(id, format.value, path)
