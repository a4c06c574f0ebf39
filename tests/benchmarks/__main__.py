"""`python -m tests.benchmarks [NAME …]`: the named ones of `BENCHMARKS` and `RECORDERS`, or all."""

import argparse
import signal
import sys
from pathlib import Path

from opencoder_lsp.bench.workloads import QUICK, Size
from opencoder_lsp.engine.machine import cores
from opencoder_lsp.errors import OpencoderError
from opencoder_lsp.models import registry
from tests.benchmarks import (
    api,
    chat,
    engine,
    front,
    home,
    int8,
    lookup,
    page,
    plot,
    recording,
    strokes,
)

_QUICK_KEYS = 12
_QUICK_QUESTIONS = 2
BENCHMARKS = ("front", "api", "page", "lookup", "int8", "typing", "chat", "engine")
RECORDERS = ("requests",)  # make files of the package; run only where they are named


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    known = "|".join(BENCHMARKS + RECORDERS)
    parser.add_argument("names", nargs="*", metavar=known, help="default: all benchmarks")
    parser.add_argument("--quick", action="store_true", help="only try that everything works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the engine's figures")
    parser.add_argument("--typing-json", type=Path, metavar="FILE", help="likewise of typing")
    parser.add_argument("--requests-json", type=Path, metavar="FILE", help="likewise of requests")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw the typing trace")
    parser.add_argument("--threads", type=int, default=cores(), help="of each engine")
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="another one than the demo's")
    return parser


def main(arguments: list[str]) -> None:
    """Run the named benchmarks."""
    chosen = parser().parse_args(arguments)
    known = BENCHMARKS + RECORDERS
    if unknown := set(chosen.names) - set(known):
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    names = chosen.names or BENCHMARKS
    if chosen.model and not set(names) <= {"engine", "typing", "chat", "int8", *RECORDERS}:
        sys.exit("--model is for `engine`, `typing`, `chat` and `int8`, and for recorders")
    if chosen.plot:
        plot.pyplot()  # if it is missing, better now than after half an hour
    models = chosen.model.absolute().parent if chosen.model else home.demo_models()
    with home.fresh(models) as place:
        if "front" in names:
            front.run(place)
            home.end_engines()  # it is not to linger beside what follows
        if "lookup" in names:
            lookup.run(place)
        model = registry.open_model(chosen.model or place / "data" / "models" / "demo")
        if "api" in names:
            api.run(model)
        if "page" in names:
            page.run()
        if "int8" in names:
            quick = (QUICK, int8.QUICK_HOLES) if chosen.quick else (Size(), int8.HOLES)
            int8.run(model, chosen.threads, *quick)
        if "typing" in names:
            most = _QUICK_KEYS if chosen.quick else None
            strokes.run(model, chosen.threads, most, chosen.typing_json)
        if "requests" in names:
            most = _QUICK_KEYS if chosen.quick else None
            recording.run(model, chosen.threads, most, chosen.requests_json)
        if "chat" in names:
            chat.run(model, chosen.threads, _QUICK_QUESTIONS if chosen.quick else None)
        if "engine" in names:
            files = engine.Options(chosen.json, chosen.plot)
            engine.run(model, chosen.threads, QUICK if chosen.quick else Size(), files)


if __name__ == "__main__":
    # A run that is ended must end its peers, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        main(sys.argv[1:])
    except OpencoderError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
