"""
Text to token ids and back, without ever making a control token from text.

Byte-level BPE (StarCoder, SmolLM2) and vocabularies in SentencePiece's style (LLaMA: `▁` for a
blank, `<0x0A>` for a byte) are read from `tokenizer.json`. Decoding is done on bytes, by the same
table that `token_bytes` gives out, so what is streamed, what is decoded at once, and what a
forced prefix is compared with always agree.
"""

from __future__ import annotations

import codecs
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opencoder_lsp.errors import ModelError, PromptError

if TYPE_CHECKING:
    from tokenizers import AddedToken
    from tokenizers import Tokenizer as Backend

log = logging.getLogger(__name__)

FILE = "tokenizer.json"
_COUNTED = 256  # texts, of some thousand characters each
_REMEMBERED = 32  # likewise: what follows the cursor is the same at each key
_LONG = 500  # characters of a text that is worth it
_BLANK = "▁"  # U+2581, how SentencePiece writes a blank
_SURROGATE = re.compile("[\ud800-\udfff]")
_BYTE = re.compile(r"<0x([0-9A-F]{2})>")


class Tokenizer:
    """One model's vocabulary. Safe to share between threads; encoding the same text is pure."""

    def __init__(self, backend: Backend) -> None:
        """Take over `backend`, a `tokenizers.Tokenizer`; raises ModelError for an unknown kind."""
        backend.encode_special_tokens = True
        backend.no_truncation()
        backend.no_padding()
        self._backend = backend
        self._byte_level = _is_byte_level(backend)
        added = backend.get_added_tokens_decoder()
        self._controls = {t.content: id for id, t in added.items() if _is_control(t)}
        self._plain_added = {id: t.content for id, t in added.items() if not _is_control(t)}
        self.control_ids: frozenset[int] = frozenset(self._controls.values())
        self._bytes: dict[int, bytes] = {}
        # StarCoder's lacks the first byte of U+40000 to U+7FFFF, SmolLM2's some control characters.
        self._missing = self._missing_bytes()
        # Where segments get a blank in front ("x" becomes "▁x"), and whether one that begins with
        # a blank already gets none (the `Metaspace` pre-tokenizer), which would lose it.
        self._prefix = self._raw(self._plain_ids("x")) == b" x"
        self._lazy_prefix = self._prefix and self._raw(self._plain_ids(" x")) == b" x"
        # Unigram vocabularies know "<0x0A>" as a piece of text, too.
        self._spells_bytes = b"\n" in self._raw(self._plain_ids("<0x0A>"))

    @property
    def puts_blank(self) -> bool:
        """Whether each segment begins with a blank that is no text, as in SentencePiece's."""
        return self._prefix

    @cached_property
    def vocab_size(self) -> int:
        """One more than the highest id, added tokens included."""
        return 1 + max(self._backend.get_vocab(with_added_tokens=True).values())

    @classmethod
    def load(cls, folder: Path) -> Tokenizer:
        """Read `tokenizer.json` of a model folder; raises ModelError naming the file and cure."""
        from tokenizers import Tokenizer as Backend

        path = folder / FILE
        cure = f"run `opencoder-lsp models pull {folder.name}` again"
        if not path.is_file():
            raise ModelError(f"{path} is missing; {cure}")
        try:
            backend = Backend.from_file(str(path))
            return cls(_with_controls_marked(backend, path))
        except ModelError as error:
            raise ModelError(f"{path} cannot be used: {error}") from error
        except Exception as error:  # boundary: the library raises bare `Exception`
            raise ModelError(f"{path} is damaged ({error}); {cure}") from error

    def encode(self, text: str) -> list[int]:
        """
        Return the ids of one segment of text, none of which is a control id.

        Lone surrogates, which no UTF-8 can hold, become U+FFFD; a split pair is joined. So do
        characters with a byte that the vocabulary lacks, which would be lost in part.
        """
        return self._encode(text) if len(text) < _LONG else list(self._encoded(text))

    @cached_property
    def _encoded(self) -> Callable[[str], tuple[int, ...]]:
        return lru_cache(_REMEMBERED)(lambda text: tuple(self._encode(text)))

    def _encode(self, text: str) -> list[int]:
        if _SURROGATE.search(text):
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        if self._missing:
            text = self._writable(text)
        if self._lazy_prefix and text.startswith((" ", _BLANK)):
            text = " " + text
        ids = self._plain_ids(text)
        spelt = self._spells_bytes and _BYTE.search(text)
        if spelt or not self.control_ids.isdisjoint(ids):
            ids = self._cut_within_spellings(text)
        return ids

    @cached_property
    def count(self) -> Callable[[str], int]:
        """How many ids `encode` makes of a text; what was counted lately is remembered."""
        return lru_cache(_COUNTED)(lambda text: len(self.encode(text)))

    def decode(self, ids: Sequence[int]) -> str:
        """
        Return the text of one whole segment: what `encode` was given, control ids giving none.

        Bytes that are no UTF-8 become U+FFFD.
        """
        data = self._raw(ids)
        if self._prefix and data.startswith(b" "):
            data = data[1:]
        return data.decode("utf-8", "replace")

    def control_id(self, name: str) -> int:
        """Return the id of a control token such as `<|end_of_turn|>`; raises PromptError."""
        try:
            return self._controls[name]
        except KeyError:
            raise PromptError(f"this model's vocabulary has no control token {name}") from None

    def has_control(self, name: str) -> bool:
        """Tell whether `name` is one control token of this vocabulary."""
        return name in self._controls

    def is_control_text(self, text: str) -> bool:
        """Tell whether a text has nothing in it but blanks and names of control tokens."""
        for name in sorted(self._controls, key=len, reverse=True):
            text = text.replace(name, "")
        return not text.strip()

    def token_bytes(self, id: int) -> bytes:
        """
        Return the bytes that token `id` adds to a running text; none for a control token.

        A blank that SentencePiece puts in front of a segment counts as text here. Raises
        PromptError for an id that is not in the vocabulary.
        """
        known = self._bytes.get(id)
        if known is None:
            known = self._bytes[id] = self._make_bytes(id)
        return known

    def decoder(self) -> IncrementalDecoder:
        """Start decoding ids that come one by one and go on with a text."""
        return IncrementalDecoder(self)

    def _missing_bytes(self) -> bytes:
        if not self._byte_level:
            return b""
        written = {byte: character for character, byte in _BYTE_OF.items()}
        find = self._backend.token_to_id
        return bytes(byte for byte in range(256) if find(written[byte]) is None)

    def _writable(self, text: str) -> str:
        data = text.encode()
        if len(data.translate(None, self._missing)) == len(data):
            return text
        lost = set(self._missing)
        return "".join("\ufffd" if lost.intersection(c.encode()) else c for c in text)

    def _plain_ids(self, text: str) -> list[int]:
        # It leaves out where each token stands in the text, a quarter of the work.
        (encoding,) = self._backend.encode_batch_fast([text], add_special_tokens=False)
        ids: list[int] = encoding.ids
        return ids

    def _raw(self, ids: Sequence[int]) -> bytes:
        return b"".join(map(self.token_bytes, ids))

    def _make_bytes(self, id: int) -> bytes:
        token = self._backend.id_to_token(id) if 0 <= id < 2**32 else None
        if token is None:
            raise PromptError(f"token id {id} is not in this model's vocabulary")
        if id in self.control_ids:
            return b""
        if id in self._plain_added:
            return self._plain_added[id].encode()
        if self._byte_level and _BYTE_OF.keys() >= set(token):
            return bytes(_BYTE_OF[character] for character in token)
        byte = _BYTE.fullmatch(token)
        return bytes([int(byte[1], 16)]) if byte else token.replace(_BLANK, " ").encode()

    def _cut_within_spellings(self, text: str) -> list[int]:
        """
        Encode a text with the spelling of a control token that the plain vocabulary knows.

        Unigram vocabularies do. Each spelling is cut after its first character, and the pieces
        are encoded apart.
        """
        spellings = "|".join([*map(re.escape, self._controls), _BYTE.pattern])
        cuts = [match.start() + 1 for match in re.finditer(f"(?={spellings})", text)]
        ids: list[int] = []
        for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
            ids += self._continued(text[start:end]) if start else self._plain_ids(text[:end])
        if not self.control_ids.isdisjoint(ids):
            raise PromptError("this model's vocabulary makes control tokens from plain text")
        return ids

    def _continued(self, text: str) -> list[int]:
        """Encode what goes on with a text, so without a blank in front."""
        if not self._prefix:
            return self._plain_ids(text)
        mark = self._plain_ids("\n")
        ids = self._plain_ids("\n" + text)
        if ids[: len(mark)] != mark:
            raise PromptError("this model's vocabulary joins line ends to words")
        return ids[len(mark) :]


class IncrementalDecoder:
    """Turns ids into text as they come; joined, the pieces are the text of all the ids."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Start in front of the first id."""
        self._token_bytes = tokenizer.token_bytes
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, id: int) -> str:
        """Return the characters that `id` completes: perhaps none, never half of one."""
        return self._utf8.decode(self._token_bytes(id))

    def finish(self) -> str:
        """Return U+FFFD where the ids ended within a character, else nothing."""
        return self._utf8.decode(b"", final=True)


def _is_control(token: AddedToken) -> bool:
    # Converted files do not always mark theirs as special, so the spelling counts, too.
    return token.special or re.fullmatch(r"<\S+>", token.content) is not None


def _with_controls_marked(backend: Backend, path: Path) -> Backend:
    """Return `backend` with each control token marked special, or text would still make it."""
    from tokenizers import Tokenizer as Backend

    added = backend.get_added_tokens_decoder().values()
    if all(token.special for token in added if _is_control(token)):
        return backend
    log.info("%s: control tokens that were not marked special are taken as such", path)
    spec = json.loads(path.read_bytes())
    names = {token.content for token in added if _is_control(token)}
    for token in spec["added_tokens"]:
        token["special"] = token["content"] in names
    return Backend.from_str(json.dumps(spec))


def _is_byte_level(backend: Backend) -> bool:
    parts = [part for step in (backend.decoder, backend.pre_tokenizer) for part in _parts(step)]
    kinds = {part["type"] for part in parts}
    if "ByteLevel" in kinds:
        return True
    replaced = {part.get("pattern", {}).get("String") for part in parts if "content" in part}
    if "Metaspace" in kinds or _BLANK in replaced:
        return False
    raise ModelError("it is neither byte-level nor in SentencePiece's style")


def _parts(step: Any) -> Iterator[Mapping[str, Any]]:
    """Walk over the steps of a decoder or pre-tokenizer, as their JSON objects."""
    if step is None:
        return
    todo = [json.loads(step.__getstate__())]
    while todo:
        part = todo.pop()
        yield part
        todo += [*part.get("decoders", ()), *part.get("pretokenizers", ())]


def _byte_alphabet() -> dict[str, int]:
    """
    Map the characters by which a byte-level vocabulary writes bytes to those bytes.

    Printable Latin-1 stands for itself, the 68 others follow from U+0100 on: GPT-2's
    `bytes_to_unicode` (openai/gpt-2, encoder.py).
    """
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    table = {chr(byte): byte for byte in plain}
    table.update({chr(0x100 + n): byte for n, byte in enumerate(others)})
    return table


_BYTE_OF = _byte_alphabet()
