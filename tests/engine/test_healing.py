"""A forced prefix: which tokens agree with it."""

import random

from hypothesis import given
from hypothesis import strategies as st

from opencoder_lsp.engine.healing import PrefixIndex

TEXTS = st.binary(min_size=1, max_size=4).map(lambda b: bytes(x % 4 + 97 for x in b))


class Words:
    """A vocabulary of given words; an empty one is a control token."""

    def __init__(self, words: list[bytes]) -> None:
        self.words = words
        self.asked = 0

    def token_bytes(self, id: int) -> bytes:
        self.asked += 1
        return self.words[id]


def ids_of(index: PrefixIndex, text: bytes) -> list[int]:
    allowed = index.allowed(text)
    ids = [*allowed.ids, *index.order[allowed.low : allowed.high]]
    assert bool(allowed) == bool(ids)
    return sorted(ids)


@given(st.lists(TEXTS | st.just(b""), max_size=30), TEXTS)
def test_exactly_the_tokens_that_agree_are_allowed(words: list[bytes], text: bytes) -> None:
    index = PrefixIndex(Words(words), len(words))
    agree = [i for i, w in enumerate(words) if w and (w.startswith(text) or text.startswith(w))]
    assert ids_of(index, text) == agree


@given(st.lists(TEXTS, max_size=20), TEXTS, st.integers(0, 2**32))
def test_whatever_is_chosen_the_output_begins_with_the_forced_text(
    words: list[bytes], text: bytes, seed: int
) -> None:
    vocabulary = Words([*words, b"a", b"b", b"c", b"d"])  # every byte has a token
    index = PrefixIndex(vocabulary, len(vocabulary.words))
    choose, output = random.Random(seed).choice, b""
    while len(output) < len(text):
        output += vocabulary.words[choose(ids_of(index, text[len(output) :]))]
    assert output.startswith(text)


def test_a_token_may_overshoot_the_forced_text() -> None:
    assert ids_of(PrefixIndex(Words([b"return", b"re", b"x"]), 3), b"ret") == [0, 1]


def test_bytes_beyond_the_last_character_are_no_special_case() -> None:
    assert ids_of(PrefixIndex(Words([b"\xff", b"\xff\xff", b"\xfe"]), 3), b"\xff") == [0, 1]


def test_ids_for_which_the_model_has_no_logit_are_left_out() -> None:
    assert ids_of(PrefixIndex(Words([b"a", b"ab"]), 1), b"a") == [0]


def test_the_vocabulary_is_read_once_and_only_when_asked_for() -> None:
    vocabulary = Words([b"a", b"b"])
    index = PrefixIndex(vocabulary, 2)
    assert vocabulary.asked == 0
    for _ in range(10):
        index.allowed(b"ab")
    assert vocabulary.asked == 2
