"""How long the loads and the fuzzing are: `OPENCODER_LOADS=full`, or short, as by default."""

import os
from dataclasses import dataclass

VARIABLE = "OPENCODER_LOADS"
SEED_VARIABLE = "OPENCODER_FUZZ_SEED"


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Counts, but where seconds are named."""

    name: str
    rounds: int  # of what is measured more than once
    pipelined: int  # small requests in one go
    cancels: int  # requests that are cancelled at once
    keys: int  # typed at 50 a second
    changes: int  # in one go
    servers: int  # that share an engine …
    completions: int  # … and the completions of each
    cold_servers: int  # that start at once
    cold_rounds: int
    drops: int  # streams that are left at random points
    stalled_requests: int  # of each reader that does read
    soak_seconds: float
    kills: int  # of the engine, under load
    kill_seconds: float  # of load before each
    idle_seconds: float
    fuzz_seconds: float  # of each fuzzer
    hang_seconds: float  # after which a server counts as hung; a busy CI machine hangs, too


SHORT = Scale(
    name="short",
    rounds=1,
    pipelined=1000,
    cancels=200,
    keys=100,
    changes=1000,
    servers=3,
    completions=20,
    cold_servers=5,
    cold_rounds=1,
    drops=60,
    stalled_requests=10,
    soak_seconds=5,
    kills=2,
    kill_seconds=1.5,
    idle_seconds=2,
    fuzz_seconds=5,
    hang_seconds=20,
)
FULL = Scale(
    name="full",
    rounds=3,
    pipelined=10_000,
    cancels=2000,
    keys=3000,
    changes=10_000,
    servers=8,
    completions=200,
    cold_servers=20,
    cold_rounds=10,
    drops=300,
    stalled_requests=100,
    soak_seconds=180,
    kills=6,
    kill_seconds=10,
    idle_seconds=60,
    fuzz_seconds=90,
    hang_seconds=2,
)


def chosen() -> Scale:
    """Return the scale that the environment asks for; ValueError for a name that is none."""
    name = os.environ.get(VARIABLE) or SHORT.name
    for scale in (SHORT, FULL):
        if scale.name == name:
            return scale
    raise ValueError(f"{VARIABLE} is {name}, but short or full are known")


# Read here, since tests have an environment without our variables.
SCALE = chosen()
SEED = int(os.environ.get(SEED_VARIABLE) or 0)  # of the first session that is fuzzed
