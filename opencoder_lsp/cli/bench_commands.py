"""`opencoder-lsp bench`: its commands, their arguments and their help."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from opencoder_lsp.cli.options import JsonOption, SetOption
from opencoder_lsp.settings import from_process

bench_app = typer.Typer(help="Measure what this machine makes of a model.", no_args_is_help=True)


class HoleKind(Enum):
    """Which holes are cut; see `opencoder_lsp.bench.holes`."""

    LINE = "line"
    PAIRED = "paired"
    ELSEWHERE = "elsewhere"


@bench_app.command("engine")
def bench_engine(
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Another model than model.name, such as opencoderplus."),
    ] = None,
    pairs: SetOption = None,
    json: JsonOption = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Only try that everything works; no useful figures.")
    ] = False,
) -> None:
    """Measure how fast this machine runs a model: some minutes for the demo model.

    It starts an engine of its own, without prompt lookup and then with it, and ends it again. The
    one that your editors use is left alone, but takes memory and time from this one: end it first,
    with `opencoder-lsp engine stop --all`.

    Typing replays a recorded trace: each key asks for 16 tokens; at some, the next key comes before
    the answer's end.

    A good machine shows the first token of a typed key within 50 ms; eight streams at 3.5 times
    one; one pass (that in flight) behind the last text that a leaving client reads; memory that
    does not grow by cancels; a completion in a long prompt's prefill within two chunks.

    Decoding reads all weights for each token, so what limits it is the memory: look at the share of
    its bandwidth that is used.
    """
    from opencoder_lsp.cli.bench import run_bench_engine

    chosen = [*(pairs or []), *([f"model.name={model}"] if model else [])]
    run_bench_engine(from_process(chosen), as_json=json, quick=quick)


@bench_app.command("quality")
def bench_quality(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="Folders of code; without, four Python packages.")
    ] = None,
    packages: Annotated[
        str | None,
        typer.Option(
            "--packages",
            metavar="NAME,…",
            help="Python packages, taken from where they are installed or fetched with pip; "
            "NAME==VERSION works. Without folders: httpx,starlette,click,jinja2.",
        ),
    ] = None,
    holes: Annotated[int, typer.Option(min=1, help="How many, over all folders.")] = 600,
    seed: Annotated[int, typer.Option(help="Another one cuts other holes.")] = 7,
    kind: Annotated[
        HoleKind,
        typer.Option(
            help="paired: the editor has closed open brackets by itself. elsewhere: the answer "
            "names what another file defines."
        ),
    ] = HoleKind.LINE,
    modes: Annotated[
        str | None,
        typer.Option(
            metavar="MODE,…",
            help="Such as prefix, template+healing+context, fim-spm+healing; the bare prefix is "
            "always there to compare with.",
        ),
    ] = None,
    json: Annotated[
        Path | None,
        typer.Option("--json", help="Keep everything in this file; it goes on where it was cut."),
    ] = None,
    pairs: SetOption = None,
) -> None:
    """Measure how good suggestions are: holes in real code, filled through the language server.

    The rest of a line is taken away, in a copy of the code, and the suggestion there is compared
    with it: half of the holes begin inside an identifier. The ways of asking take turns. Ctrl-C
    prints what there is. Prompts have up to 1024 tokens, unless completion.prompt_tokens is set.

    Expect about a second for each hole and mode with the demo model on two cores. With --json a run
    may be cut off and started again, with other modes too.
    """
    from opencoder_lsp.bench.modes import DEFAULT
    from opencoder_lsp.cli.quality import Wanted, run_bench_quality

    wanted = Wanted(
        folders=folders or [],
        packages=[name.strip() for name in (packages or "").split(",") if name.strip()],
        modes=modes.split(",") if modes else DEFAULT,
        holes=holes,
        seed=seed,
        kind=kind.value,
        file=json,
    )
    raise typer.Exit(run_bench_quality(wanted, pairs or []))


@bench_app.command("scale")
def bench_scale(
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Another model than model.name, such as opencoderplus."),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(
            "--figures",
            metavar="FILE",
            help="What `bench engine --json` has printed, perhaps on another machine: no engine "
            "is needed then.",
        ),
    ] = None,
    typists: Annotated[
        str, typer.Option(metavar="N,…", help="How many to replay on the engine, run by run.")
    ] = "1,2,4",
    seconds: Annotated[float, typer.Option(min=1, help="How long each of these runs is.")] = 30,
    limit: Annotated[int, typer.Option(min=1, help="Milliseconds that the p95 may have.")] = 500,
    slots: Annotated[
        int, typer.Option(min=0, help="Slots of the engine; 0 for what it has, or 8.")
    ] = 0,
    chats: Annotated[
        float,
        typer.Option("--chats-per-hour", min=0, help="Questions that each typist asks besides."),
    ] = 0,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE.png", help="Draw it as well.")
    ] = None,
    json: JsonOption = False,
    pairs: SetOption = None,
) -> None:
    """Tell how many people who type at once one engine carries.

    A typist asks what the language server asked while recorded typing was typed into it: when, how
    much of each prompt is new, which answers are left for a newer key. What suggestions of before
    answer is asked of nobody. It is typing without any pause: a person types for a part of an hour.
    With --chats-per-hour each also asks for explanations (800 tokens, answered by 300), which the
    engine computes behind the completions.

    What a step costs is measured on an engine of its own, without prompt lookup; on the one at
    engine.url, if that is set (nobody else should use it then); or taken from --figures. The
    engine's own schedule is then simulated with these costs for more and more typists, and the
    simulation compared with typists who are replayed on the real engine.
    """
    from opencoder_lsp.bench.chats import Chats
    from opencoder_lsp.bench.scale import Wanted
    from opencoder_lsp.cli.scale import Output, run_bench_scale

    try:
        numbers = [int(number) for number in typists.split(",")]
    except ValueError:
        numbers = [0]
    if min(numbers) < 1:
        raise typer.BadParameter("numbers of typists, such as 1,2,4", param_hint="--typists")
    chosen = [*(pairs or []), *([f"model.name={model}"] if model else [])]
    wanted = Wanted(numbers, seconds, limit=limit / 1000, slots=slots, chats=Chats(chats))
    run_bench_scale(from_process(chosen), wanted, figures, Output(json, plot))
