"""How long ghost text takes from the key to the screen, printed at the end of a run."""

import pytest

from tests.benchmarks.neovim import measure
from tests.editors.conftest import Lane

pytestmark = pytest.mark.editor


async def test_ghost_text_comes_with_a_key_and_how_fast_is_printed(
    lane: Lane, key_times: list[str]
) -> None:
    seen, server = await measure(lane.binary, lane.backend, rounds=5)
    key_times.append(f"{lane.name}: key to screen {seen:.0f} ms, server {server:.0f} ms (medians)")
    assert seen > 0
    assert server > 0
