"""Every command, its arguments and its help."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from opencoder_lsp import __version__
from opencoder_lsp.cli.bench_commands import bench_app
from opencoder_lsp.cli.conversation_commands import conversations_app
from opencoder_lsp.cli.options import JsonOption, SetOption
from opencoder_lsp.cli.task_commands import add_task_commands
from opencoder_lsp.errors import OpencoderError, SettingsError
from opencoder_lsp.settings import Settings, from_process

app = typer.Typer(
    name="opencoder-lsp",
    help="A coding assistant that your editor reaches through plain LSP and that runs on your own "
    "GPU.\n\nWithout a command it is the language server, on standard input and output.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,  # they would print local variables: the user's text
    context_settings={"help_option_names": ["-h", "--help"]},
)
models_app = typer.Typer(help="List, pull and verify models.", no_args_is_help=True)
engine_app = typer.Typer(help="Look at and stop the engine that editors share.")
app.add_typer(models_app, name="models")
app.add_typer(engine_app, name="engine", no_args_is_help=True)
app.add_typer(conversations_app, name="conversations")
app.add_typer(bench_app, name="bench")


def _settings(pairs: list[str] | None) -> Settings:
    return from_process(pairs or [])


@app.callback(invoke_without_command=True)
def _default(
    context: typer.Context,
    pairs: SetOption = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log more to standard error; never your text.")
    ] = False,
    stdio: Annotated[
        bool, typer.Option("--stdio", hidden=True, help="What some editors pass; the default.")
    ] = False,
) -> None:
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    # pygls logs whole messages, so the user's code, at INFO.
    logging.getLogger("pygls").setLevel(logging.WARNING)
    if version:
        print(f"opencoder-lsp {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        lsp(pairs)
    elif pairs:
        raise SettingsError(f"write --set behind the command: {context.invoked_subcommand} --set …")


@app.command()
def lsp(
    pairs: SetOption = None,
    stdio: Annotated[bool, typer.Option("--stdio", hidden=True, help="The default.")] = False,
) -> None:
    """Run the language server on standard input and output (the default command)."""
    if sys.stdin.isatty():
        print(
            "This is the language server; it waits for an editor on standard input.\n"
            "Try `opencoder-lsp demo`, or `opencoder-lsp --help`.",
            file=sys.stderr,
        )
    from opencoder_lsp.lsp.server import run

    raise typer.Exit(run(_settings(pairs)))


@app.command()
def demo(
    file: Annotated[
        Path | None, typer.Argument(help="A source file; without one, a module of Python's own.")
    ] = None,
    pairs: SetOption = None,
) -> None:
    """Complete and explain real code through the real language server, and show how long it took.

    Pulls the small demo model first if no model is there (93 MB, once).
    """
    from opencoder_lsp.cli.demo import run_demo

    raise typer.Exit(run_demo(file, pairs or []))


@app.command()
def complete(
    place: Annotated[
        str, typer.Argument(metavar="FILE:LINE:COL", help="Where the cursor is, counted from 1.")
    ],
    pairs: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Print what the language server suggests at a place in a file."""
    from opencoder_lsp.cli.complete import run_complete

    raise typer.Exit(run_complete(place, pairs or [], as_json=json))


@app.command()
def chat(
    message: Annotated[
        str | None, typer.Argument(help="What to ask (`-`: read it); without it, a conversation.")
    ] = None,
    newest: Annotated[
        bool, typer.Option("--continue", "-c", help="Go on with this folder's newest conversation.")
    ] = False,
    conversation: Annotated[
        str | None, typer.Option(metavar="ID", help="Go on with this one, as in `conversations`.")
    ] = None,
    files: Annotated[
        list[str] | None,
        typer.Option(
            "--file", "-f", metavar="FILE[:10-40]", help="A file, or lines of it, that go along."
        ),
    ] = None,
    pairs: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Ask the model; without a message, have a conversation, in which /help says what there is.

    In a message, @PATH or @PATH:10-40 lets a file of this folder go along. Ctrl-C stops an answer
    and keeps what was said.
    """
    from opencoder_lsp.cli.chat import run_chat

    code = run_chat(
        message,
        pairs or [],
        conversation=conversation,
        newest_one=newest,
        files=files or [],
        as_json=json,
    )
    raise typer.Exit(code)


add_task_commands(app)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any free one.")] = 18888,
    api_keys_file: Annotated[
        Path | None,
        typer.Option(help="Lines of name:key; with it, every request needs one of the keys."),
    ] = None,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Needed to listen where other machines reach.")
    ] = False,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="A further name of this server; may be repeated.")
    ] = None,
    cors_origin: Annotated[
        list[str] | None,
        typer.Option(help="A web page's origin that may ask, as https://example.com."),
    ] = None,
    key_concurrency: Annotated[
        int, typer.Option(min=1, max=1000, help="Answers side by side for one key.")
    ] = 16,
    pairs: SetOption = None,
) -> None:
    """Serve a chat page, and OpenAI's ChatCompletions API on http://127.0.0.1:18888/v1.

    Open to programs on this machine, closed to web pages. To other machines it is only opened with
    --host, --api-keys-file and --allow-remote.
    """
    from opencoder_lsp.cli.serve import Options, run_serve

    names, origins = allow_host or [], cors_origin or []
    options = Options(host, port, api_keys_file, allow_remote, names, origins, key_concurrency)
    raise typer.Exit(run_serve(options, pairs or []))


@app.command()
def doctor(pairs: SetOption = None, json: JsonOption = False) -> None:
    """Check this machine and say, line by line, what is well and what to do about the rest."""
    from opencoder_lsp.cli.doctor import run_doctor

    raise typer.Exit(run_doctor(pairs or [], as_json=json))


@app.command()
def stats(
    days: Annotated[int, typer.Option(min=1, max=36_500, help="How far back.")] = 30,
    json: JsonOption = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE.png", help="Draw them day by day, too.")
    ] = None,
) -> None:
    """Say how many suggestions were accepted, what that saved, and how fast they came.

    Counted on this machine for you alone: language, lengths, latency, model and time, no code and
    no paths. The setting stats.enabled turns it off.
    """
    from opencoder_lsp.cli.stats import show_stats

    raise typer.Exit(show_stats(days, as_json=json, plot=plot))


@models_app.command("list")
def models_list(pairs: SetOption = None, json: JsonOption = False) -> None:
    """List the known models, which of them are here, and which one would run."""
    from opencoder_lsp.cli.models import list_models

    list_models(_settings(pairs), as_json=json)


@models_app.command("pull")
def models_pull(
    name: Annotated[str, typer.Argument(help="A known model, or a folder with weights.")],
    tokenizer_only: Annotated[
        bool,
        typer.Option("--tokenizer-only", help="Without weights, for an engine on another host."),
    ] = False,
) -> None:
    """Fetch a model, convert it to safetensors in bfloat16, and note the hash of every file."""
    from opencoder_lsp.cli.models import pull_model

    pull_model(name, tokenizer_only=tokenizer_only)


@models_app.command("verify")
def models_verify(
    name: Annotated[str, typer.Argument(help="A pulled model or a model folder.")],
) -> None:
    """Compare every file of a model with the hash that was noted when it was pulled."""
    from opencoder_lsp.cli.models import verify_model

    verify_model(name)


@engine_app.command("status")
def engine_status(
    pairs: SetOption = None,
    json: JsonOption = False,
    watch: Annotated[
        bool, typer.Option("--watch", "--live", "-w", help="Look again each second until Ctrl-C.")
    ] = False,
) -> None:
    """Say whether the engine runs, with which model, what it is doing and how fast."""
    from opencoder_lsp.cli.engine import show_status

    raise typer.Exit(show_status(_settings(pairs), as_json=json, watch=watch))


@engine_app.command("stop")
def engine_stop(
    pairs: SetOption = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also engines of other models and versions.")
    ] = False,
) -> None:
    """End the engine; editors start it again when they next need it."""
    from opencoder_lsp.cli.engine import stop

    raise typer.Exit(stop(_settings(pairs), everything))


@engine_app.command("logs")
def engine_logs(
    pairs: SetOption = None,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=1, help="How many lines, the last ones.")
    ] = 100,
) -> None:
    """Print what the engine has logged; none of your text is in it."""
    from opencoder_lsp.cli.logs import show_log

    raise typer.Exit(show_log(_settings(pairs), lines))


def main(run: Callable[[], None] = app) -> None:
    """Run the command line. Exit codes: 0 fine, 1 failed, 2 wrong usage."""
    if sys.platform == "win32":
        sys.exit("opencoder-lsp: Windows is not supported; use it inside WSL")
    try:
        run()
    except OpencoderError as error:
        print(f"opencoder-lsp: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, SettingsError) else 1)
    except KeyboardInterrupt:
        sys.exit(130)
