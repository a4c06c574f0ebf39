"""An engine for completions, another one for chat."""

import pytest

from opencoder_lsp.client.connection import Status
from opencoder_lsp.client.roles import connections, for_role
from opencoder_lsp.prompt.privacy import engines, may_send
from opencoder_lsp.settings import Settings

A, B = "http://a.example:1", "http://b.example:2"


def settings(*pairs: str) -> Settings:
    return Settings.load(cli=pairs)


def test_a_role_without_an_address_of_its_own_has_the_engines() -> None:
    both = settings(f"engine.url={A}", f"chat.url={B}")
    assert for_role(both, "completion").engine.url == A
    assert for_role(both, "chat").engine.url == B
    assert for_role(settings(f"completion.url={A}"), "chat").engine.url == ""


def told(status: Status) -> None:
    pytest.fail(f"told {status}")


@pytest.mark.parametrize("pairs", [(), (f"engine.url={A}",), (f"engine.url={A}", f"chat.url={A}")])
def test_one_engine_is_one_connection(pairs: tuple[str, ...]) -> None:
    made = connections(settings(*pairs), told, lambda text: None, main="chat")
    assert made["chat"] is made["completion"]


async def test_only_the_main_role_is_heard_of() -> None:
    pairs = ("engine.url=unix:/nowhere/a", "chat.url=unix:/nowhere/b")
    heard = list[Status]()
    made = connections(settings(*pairs), heard.append, lambda text: None, main="chat")
    for connection in made.values():
        with pytest.raises(Exception, match="no model is pulled"):
            await connection.engine()
    assert len(heard) == 1
    assert made["completion"].status.kind == made["chat"].status.kind == "error"


@pytest.mark.fault("F66")
@pytest.mark.parametrize("name", ["engine.url", "completion.url", "chat.url"])
def test_whichever_of_them_is_elsewhere_secrets_are_judged_for_elsewhere(name: str) -> None:
    remote = settings(f"{name}={A}")
    assert A in engines(remote)
    assert may_send("/outside/x.py", settings(), ["/work"])
    assert not may_send("/outside/x.py", remote, ["/work"])
    assert not may_send("", remote, ["/work"], gathered=True)
