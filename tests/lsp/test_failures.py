"""What is said of failures, and how often."""

import logging

import pytest
from lsprotocol.types import MessageType
from pygls.exceptions import JsonRpcException

from opencoder_lsp.errors import (
    EngineBusyError,
    EngineError,
    EngineUnavailableError,
    ModelError,
    OpencoderError,
    PromptError,
    PromptTooLongError,
    describe,
)
from opencoder_lsp.lsp.failures import Troubles, translated


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (PromptError("nothing is selected"), -32602, "nothing is selected"),
        (PromptTooLongError(9, 5), -32602, "the prompt has 9 tokens, but at most 5 fit"),
        (EngineError("it stopped"), -32803, "it stopped"),
        (EngineBusyError("full"), -32803, "full"),
        (ModelError("run: models pull demo"), -32803, "run: models pull demo"),
        (OpencoderError("no"), -32803, "no"),
        (JsonRpcException("gone", -32001), -32001, "gone"),
    ],
)
def test_errors_of_ours_have_their_code_and_their_message(
    error: Exception, code: int, message: str
) -> None:
    assert translated(error, "m") == (code, message)


@pytest.mark.fault("F33")
def test_any_other_error_is_named_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(UnicodeEncodeError) as raised:
        "secret \ud83d".encode()
    with caplog.at_level(logging.DEBUG):
        code, message = translated(raised.value, "textDocument/x")
    assert code == -32603
    assert "UnicodeEncodeError" in message
    assert "textDocument/x" in caplog.text
    assert "test_failures.py" in caplog.text
    assert "secret" not in message + caplog.text


def test_an_error_that_was_never_raised_can_be_described() -> None:
    assert describe(ValueError("secret")) == "ValueError"


def test_trouble_is_shown_once_for_each_kind_until_all_is_well_again() -> None:
    shown = list[tuple[MessageType, str]]()
    troubles = Troubles(lambda kind, text: shown.append((kind, text)))
    for _ in range(3):
        troubles.report(EngineError("it stopped"))
        troubles.report(EngineUnavailableError("it is not there"))
    assert [text for _, text in shown] == ["OpenCoder: it stopped", "OpenCoder: it is not there"]
    troubles.recovered()
    troubles.report(EngineError("it stopped again"))
    assert shown[2:] == [(MessageType.Error, "OpenCoder: it stopped again")]


def test_what_an_engine_says_is_shown_but_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    shown = list[str]()
    with caplog.at_level(logging.DEBUG):
        Troubles(lambda kind, text: shown.append(text)).report(EngineError("bad prompt: secret"))
    assert shown == ["OpenCoder: bad prompt: secret"]
    assert "EngineError" in caplog.text
    assert "secret" not in caplog.text


def test_the_same_warning_is_shown_once_for_good() -> None:
    shown = list[str]()
    troubles = Troubles(lambda kind, text: shown.append(text))
    for text in ("one", "two", "one"):
        troubles.warn(text)
    troubles.recovered()
    troubles.warn("two")
    assert shown == ["OpenCoder: one", "OpenCoder: two"]
