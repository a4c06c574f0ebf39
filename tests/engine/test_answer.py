"""The objects of an answer."""

from opencoder_lsp.engine.answer import Answer
from opencoder_lsp.engine.stream import Piece, Usage


def test_only_the_last_chunk_has_a_reason_and_the_usage() -> None:
    answer = Answer("id", "tiny")
    assert "usage" not in answer.chunk(Piece(0, "x"))
    last = answer.chunk(Piece(0, reason="stop", usage=Usage(3, 2, 1)))
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["usage"] == {
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "total_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 1},
    }


def test_a_whole_answer_has_its_choices_in_order_however_they_came() -> None:
    pieces = [
        Piece(1, "x"),
        Piece(0, "a"),
        Piece(1, "y"),
        Piece(1, reason="stop"),
        Piece(0, "b"),
        Piece(0, reason="length", usage=Usage(3, 4, 0)),
    ]
    answer = Answer("id", "tiny").whole(pieces)
    assert answer["id"] == "id"
    said = [(c["index"], c["text"], c["finish_reason"]) for c in answer["choices"]]
    assert said == [(0, "ab", "length"), (1, "xy", "stop")]
    assert answer["usage"]["completion_tokens"] == 4
