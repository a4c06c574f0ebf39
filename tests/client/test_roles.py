"""An engine for completions, another one for chat."""

import pytest

from opencoder_lsp.client.connection import Status
from opencoder_lsp.client.roles import by_engine, connections, for_role
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


def test_a_role_may_have_a_model_of_its_own_with_its_own_template() -> None:
    pairs = ("model.name=opencoderplus", "model.template=opencoder", "chat.model=openchat")
    both = settings(*pairs)
    assert for_role(both, "completion").model == both.model
    assert for_role(both, "chat").model.name == "openchat"
    assert for_role(both, "chat").model.template == ""
    assert [roles for roles, _ in by_engine(both)] == [("completion",), ("chat",)]
    assert [roles for roles, _ in by_engine(settings("chat.model=auto"))] == [
        ("completion", "chat")
    ]


@pytest.mark.parametrize("name", ["completion.model", "chat.model"])
def test_no_workspace_says_which_model_runs(name: str) -> None:
    before = Settings()
    after, (warning,) = before.with_client({name: "/evil"})
    assert after == before
    assert f"{name} is not taken from the editor" in warning


def told(status: Status) -> None:
    pytest.fail(f"told {status}")


@pytest.mark.parametrize("pairs", [(), (f"engine.url={A}",), (f"engine.url={A}", f"chat.url={A}")])
def test_one_engine_is_one_connection(pairs: tuple[str, ...]) -> None:
    made = connections(settings(*pairs), told, lambda text: None, main="chat")
    assert made["chat"] is made["completion"]


@pytest.mark.parametrize("pair", [f"chat.url={A}", "completion.model=starcoder"])
def test_another_engine_or_another_model_is_another_connection(pair: str) -> None:
    made = connections(settings(pair), told, lambda text: None, main="chat")
    assert made["chat"] is not made["completion"]


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
