"""When a server works before it is asked."""

import pytest

from opencoder_lsp.client.connection import Status
from opencoder_lsp.lsp.server import create_server
from opencoder_lsp.settings import Settings

HERE, SOCKET, THERE = "", "unix:/run/engine.sock", "http://gpu.example:8000"


@pytest.mark.parametrize(
    ("url", "setting", "wanted"),
    [
        (HERE, "auto", True),
        (SOCKET, "auto", True),
        (THERE, "auto", False),
        (HERE, "false", False),
        (THERE, "false", False),
        (HERE, "true", True),
        (THERE, "true", True),
    ],
)
def test_a_server_works_ahead_on_an_engine_of_this_machine_or_as_it_is_told(
    url: str, setting: str, wanted: bool
) -> None:
    server = create_server(Settings.load(cli=[f"engine.url={url}", f"completion.ahead={setting}"]))
    server.connection.status = Status("ready", "")
    assert server.ahead.is_wanted is wanted


@pytest.mark.parametrize("kind", ["loading", "error"])
def test_no_engine_is_started_to_work_ahead(kind: str) -> None:
    server = create_server(Settings.load(cli=["completion.ahead=true"]))
    server.connection.status = Status(kind, "")  # type: ignore[arg-type]
    assert not server.ahead.is_wanted
