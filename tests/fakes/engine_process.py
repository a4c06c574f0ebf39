"""
A process that keeps the engine's contract of lock, socket, leases and signals, with a FakeEngine.

    python engine_process.py --socket PATH --model FOLDER [--set NAME=VALUE]… [what goes wrong]

It starts in a fraction of a second and can fail in the ways in which the real one does.
"""

import argparse
import asyncio
import fcntl
import json
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from opencoder_lsp.settings import Settings
from tests.fakes import engine
from tests.fakes.engine import FakeEngine


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--starts", type=Path, help="append the command line, as JSON, to this")
    parser.add_argument("--load", type=int, default=0, help="so many steps of loading progress")
    parser.add_argument("--cause", help="loading fails with this")
    parser.add_argument("--say", default="", help="write this to the log")
    parser.add_argument("--exit", type=int, help="end at once with this code")
    parser.add_argument("--die-loading", action="store_true", help="end as soon as one watches")
    parser.add_argument("--stand-still", action="store_true", help="never end to load")
    parser.add_argument("--mute", action="store_true", help="accept connections, answer nothing")
    parser.add_argument("--beat", type=float, help="seconds between words on a lease")
    parser.add_argument("--pause-after", type=int, help="let streams stand still after so many")
    return parser.parse_args()


def take_lock(args: argparse.Namespace) -> int:
    """Take the engine's lock for life, or end with code 3."""
    lock = os.open(f"{args.socket}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(3)
    os.ftruncate(lock, 0)
    record = {"pid": os.getpid(), "started": time.time(), "version": "0", "model": "fake"}
    os.write(lock, json.dumps({**record, "folder": args.model}).encode())
    return lock


async def load(fake: FakeEngine, args: argparse.Namespace) -> None:
    """Tell of each step to whoever watches, then be ready, or not."""
    for step in range(1, args.load + 1):
        await fake.until(lambda step=step: fake.told >= step)  # type: ignore[misc]
        fake.set_health(progress=step / (args.load + 1))
    if args.load:
        await fake.until(lambda: fake.told > args.load)
    if args.stand_still:
        return
    if args.die_loading:
        await fake.leased()
        os._exit(9)
    if args.cause:
        fake.set_health(state="error", cause=args.cause)
    else:
        fake.set_health(state="ready", progress=1.0)


async def serve(args: argparse.Namespace) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    args.socket.unlink(missing_ok=True)
    if args.mute:
        async with await asyncio.start_unix_server(lambda r, w: None, args.socket):
            await stop.wait()
        return
    own = Settings.load(cli=args.set).engine.of_process()
    async with FakeEngine(args.socket, state="loading", progress=0.0, settings=own) as fake:
        if args.pause_after is not None:
            fake.pause_after(args.pause_after)
        loading = asyncio.create_task(load(fake, args))
        await stop.wait()
        loading.cancel()
        told = fake.told
        fake.set_health(state="draining")
        await fake.until(lambda: fake.told >= told + fake.leases)


def main() -> None:
    """Run."""
    args = arguments()
    if args.starts:
        with args.starts.open("a") as file:
            file.write(json.dumps([os.getpid(), *sys.argv]) + "\n")
    if args.say:
        print(args.say, file=sys.stderr, flush=True)  # noqa: T201
    if args.exit is not None:
        sys.exit(args.exit)
    if args.beat is not None:
        engine.KEEP_ALIVE = args.beat
    take_lock(args)
    asyncio.run(serve(args))


if __name__ == "__main__":
    main()
