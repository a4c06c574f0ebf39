"""One answer of another maker's server while it grows: its text, its end, what it has cost."""

from collections.abc import Iterator

from opencoder_lsp.client.dialects import Said, Score
from opencoder_lsp.client.wire import CompletionRequest, Logprobs, Piece, Usage
from opencoder_lsp.prompt.stops import StopText
from opencoder_lsp.prompt.tokenizer import Tokenizer


class Progress:
    """
    Answer `index` to a request: `take` each event until `reason` says why it is over.

    It ends at the request's stop ids and stop strings, whatever the server thinks of them.
    """

    def __init__(self, request: CompletionRequest, index: int, tokenizer: Tokenizer) -> None:
        self.index = index
        self.ids: list[int] = []  # those that the server has named
        self.text = ""  # all of it, before stop strings are looked for
        self.reason: str | None = None
        self._made = 0  # tokens
        self._before = 0  # those of them that an earlier request made
        self._cached = 0  # tokens of the prompt
        self._request = request
        self._tokenizer = tokenizer
        self._decoder = tokenizer.decoder()
        self._stop_ids = frozenset(request.stop_token_ids)
        skip = len(request.forced_prefix)
        self._stops = StopText(request.stop, skip) if request.stop else None
        self._shown = 0  # characters

    @property
    def usage(self) -> Usage:
        """What was counted so far."""
        prompt = len(self._request.prompt)  # that of the rest behind a forced prefix is longer
        return Usage(prompt, self._made, min(prompt, self._cached))

    @property
    def room(self) -> int:
        """How many more tokens the answer may have."""
        return self._request.max_tokens - self._made

    def spell(self) -> list[int]:
        """
        Return the ids of the text so far; they are ours where the server has named too few.

        What is counted from now on is that of a request which has them in its prompt.
        """
        data = b"".join(map(self._tokenizer.token_bytes, self.ids))
        if not data.startswith(self.text.encode("utf-8", "replace")):
            self.ids = self._tokenizer.encode(self.text)
            self._made = max(self._made, len(self.ids))
        self._before = self._made
        return self.ids

    def is_over(self) -> bool:
        """Tell whether there is a reason why no more is wanted."""
        return self.reason is not None

    def say(self, text: str) -> Iterator[Piece]:
        """Yield a text that is given, and not the model's, as the beginning."""
        yield from self._shown_of(text, None)

    def take(self, said: Said) -> Iterator[Piece]:
        """Yield what an event adds."""
        if said.usage is not None:
            self._cached = max(self._cached, said.usage.cached_tokens)
        if self.reason is not None:
            self._count(said.usage)
            return
        texts = [] if said.text is None else [said.text]
        for id in said.ids:
            self._made += 1
            if id in self._stop_ids:
                self.reason = "stop"
                texts = texts if said.text is None else []
                break
            self.ids.append(id)
            if said.text is None:
                texts.append(self._decoder.push(id))
        else:
            self.reason = said.reason
        self._count(said.usage)
        logprobs = self._logprobs(said.scores[: len(said.ids)]) if said.scores else said.logprobs
        yield from self._shown_of("".join(texts), logprobs)
        if self.reason is not None:
            yield self._end()

    def _count(self, used: Usage | None) -> None:
        """Take the server's word for how many tokens it made, of which it need not name all."""
        if used is not None:
            self._made = max(self._made, self._before + used.completion_tokens)

    def finish(self, reason: str) -> Iterator[Piece]:
        """Yield the end, for a reason that is ours."""
        self.reason = reason
        yield self._end()

    def _shown_of(self, text: str, logprobs: Logprobs | None) -> Iterator[Piece]:
        self.text += text
        if self._stops is not None and text:
            text = self._stops.push(text)
            if self._stops.found:
                self.reason = "stop"
        if text or logprobs:
            self._shown += len(text)
            yield Piece(index=self.index, text=text, logprobs=logprobs)

    def _end(self) -> Piece:
        rest = ""
        if self._stops is None or not self._stops.found:
            rest = self._decoder.finish()
            rest = self._stops.push(rest) + self._stops.rest() if self._stops else rest
        return Piece(index=self.index, text=rest, finish_reason=self.reason)

    def _logprobs(self, scores: tuple[Score, ...]) -> Logprobs:
        offset, offsets = self._shown, []
        for score in scores:
            offsets.append(offset)
            offset += len(self._tokenizer.token_bytes(score.id).decode("utf-8", "replace"))
        return Logprobs(
            tokens=[self._name(score.id) for score in scores],
            token_logprobs=[score.logprob for score in scores],
            top_logprobs=[self._top(score) for score in scores],
            text_offset=offsets,
        )

    def _top(self, score: Score) -> dict[str, float]:
        """Return the likeliest tokens and the chosen one, which may be one more."""
        likeliest = sorted(score.top, key=lambda one: one[1], reverse=True)
        top: dict[str, float] = {}
        for id, logprob in likeliest[: self._request.logprobs or 0]:
            top.setdefault(self._name(id), logprob)
        if score.logprob is not None:
            top.setdefault(self._name(score.id), score.logprob)
        return top

    def _name(self, id: int) -> str:
        """Return a token's text, as our engine writes it."""
        data = self._tokenizer.token_bytes(id)
        if not data:
            return f"token_id:{id}"
        try:
            return data.decode()
        except UnicodeDecodeError:
            return "bytes:" + "".join(f"\\x{byte:02x}" for byte in data)
