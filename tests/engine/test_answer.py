"""The objects of an answer."""

from typing import Any

from opencoder_lsp.engine.answer import Answer
from opencoder_lsp.engine.request import Score, Scored
from opencoder_lsp.engine.stream import Piece, Usage
from tests.fakes.runner import LETTERS


def test_only_the_last_chunk_has_a_reason_and_the_usage() -> None:
    answer = Answer("id", "tiny", LETTERS)
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
    answer = Answer("id", "tiny", LETTERS).whole(pieces)
    assert answer["id"] == "id"
    said = [(c["index"], c["text"], c["finish_reason"]) for c in answer["choices"]]
    assert said == [(0, "ab", "length"), (1, "xy", "stop")]
    assert answer["usage"]["completion_tokens"] == 4


A, B, CONTROL, E_ACUTE = 97, 98, 258, (0xC3, 0xA9)


def scored(text: str, token: int, *top: tuple[int, float], logprob: float = -1.0) -> Scored:
    return Scored(text, Score(token, logprob, top))


def test_scores_are_openais_four_lists() -> None:
    scores = scored("a", A, (A, -1.0), (B, -2.0)), scored("b", B, (A, -0.5), (B, -1.0))
    choice = Answer("id", "tiny", LETTERS).chunk(Piece(0, "ab", scores))["choices"][0]
    assert choice["logprobs"] == {
        "tokens": ["a", "b"],
        "token_logprobs": [-1.0, -1.0],
        "top_logprobs": [{"a": -1.0, "b": -2.0}, {"a": -0.5, "b": -1.0}],
        "text_offset": [0, 1],
    }


def test_the_chosen_token_is_named_though_it_is_not_among_the_likeliest() -> None:
    piece = Piece(0, "b", (scored("b", B, (A, -0.1), logprob=-7.0),))
    [top] = logprobs(Answer("id", "tiny", LETTERS).chunk(piece))["top_logprobs"]
    assert list(top.items()) == [("a", -0.1), ("b", -7.0)]


def test_half_a_character_is_told_as_bytes_and_begins_where_the_character_does() -> None:
    first, second = E_ACUTE
    scores = scored("a", A), scored("", first), scored("é", second, (CONTROL, -1.0)), scored("b", B)
    said = logprobs(Answer("id", "tiny", LETTERS).chunk(Piece(0, "aéb", scores)))
    assert said["tokens"] == ["a", "bytes:\\xc3", "bytes:\\xa9", "b"]
    assert said["text_offset"] == [0, 1, 1, 2]
    assert set(said["top_logprobs"][2]) == {"token_id:258", "bytes:\\xa9"}


def test_offsets_go_on_from_chunk_to_chunk_and_are_the_same_in_a_whole_answer() -> None:
    pieces = [
        Piece(0, "ab", (scored("a", A), scored("b", B))),
        Piece(1, "b", (scored("b", B),)),
        Piece(0, "a", (scored("a", A),)),
        Piece(1, "a", (scored("a", A),)),
        Piece(1, reason="stop"),
        Piece(0, reason="stop", usage=Usage(1, 5, 0)),
    ]
    answer = Answer("id", "tiny", LETTERS)
    chunks = [answer.chunk(piece)["choices"][0] for piece in pieces]
    assert [chunk["logprobs"] and chunk["logprobs"]["text_offset"] for chunk in chunks] == [
        [0, 1],
        [0],
        [2],
        [1],
        None,
        None,
    ]
    choices = Answer("id", "tiny", LETTERS).whole(pieces)["choices"]
    assert [choice["logprobs"]["text_offset"] for choice in choices] == [[0, 1, 2], [0, 1]]


def logprobs(answer: dict[str, Any]) -> dict[str, Any]:
    [choice] = answer["choices"]
    found: dict[str, Any] = choice["logprobs"]
    return found
