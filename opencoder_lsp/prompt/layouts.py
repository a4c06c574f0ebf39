"""The layouts of a completion's prompt: what stands where, and as which tokens."""

from collections.abc import Sequence
from typing import Literal

from opencoder_lsp.prompt.conversation import Message, Template, encode, stop_ids
from opencoder_lsp.prompt.snippets import (
    Snippet,
    as_comments,
    as_file,
    as_section,
    file_token,
    joined,
)
from opencoder_lsp.prompt.tasks import fence_for, fenced, info_string, shown_path
from opencoder_lsp.prompt.tokenizer import Tokenizer
from opencoder_lsp.prompt.window import Layout

FimOrder = Literal["psm", "spm"]
FIM_TOKENS = ("<fim_prefix>", "<fim_middle>", "<fim_suffix>")


def template_layout(
    path: str,
    language: str,
    seen: str,
    suffix: str,
    snippets: Sequence[Snippet],
    tokenizer: Tokenizer,
    template: Template,
) -> Layout:
    """
    Return the layout of mode "template": the user asks for the file, with snippets of others and
    the code after the cursor; the answer is prefilled with a code fence and the code before it.

    `seen` is at least all the code before the cursor that the layout is used for.
    """
    task = Message("user", _task(path, language, suffix, snippets))
    opening = f"{fence_for(seen, suffix)}{info_string(language)}\n"

    def layout(code: str) -> list[int]:
        return encode(template, tokenizer, [task, Message("assistant", opening + code)]).ids

    return layout


def _task(path: str, language: str, suffix: str, snippets: Sequence[Snippet]) -> str:
    """Return what the model is asked to do; what changes least while one types stands first."""
    where = f" `{shown_path(path)}`" if path else ""
    task, subject = f"Write the code of the file{where}. ", "It"
    if snippets:
        sections = "".join(as_section(snippet, language) for snippet in joined(snippets))
        task, subject = f"{task}Other files of the project have this code:\n{sections}", "The file"
    if not suffix.strip():
        return task.rstrip()
    after = fenced(suffix.rstrip("\n"), language)
    return f"{task}{subject} ends with this code:\n{after}"


def fim_layout(
    path: str,
    language: str,
    suffix: str,
    snippets: Sequence[Snippet],
    tokenizer: Tokenizer,
    order: FimOrder,
) -> Layout:
    """
    Return the layout of mode "fim", snippets first as `written_for_fim` says.

    Where the vocabulary has a token for it they are whole files in front of this one, as
    StarCoder 2 was trained on repositories (arXiv:2402.19173, section 5.2).
    """
    token = file_token(tokenizer)
    name = shown_path(path) if tokenizer.has_control("<filename>") else ""
    written = [written_for_fim(snippet, tokenizer, language) for snippet in joined(snippets)]
    if not token:
        comments = "".join(written)
        return lambda code: fim_ids(comments + code, suffix, tokenizer, order, name)
    files = list[int]()
    for text in written:
        files += [tokenizer.control_id(token), *tokenizer.encode(text)]
    return lambda code: files + fim_ids(code, suffix, tokenizer, order, name)


def written_for_fim(snippet: Snippet, tokenizer: Tokenizer, language: str) -> str:
    """Return a snippet as a file of its own, or as comments of `language`."""
    return as_file(snippet) if file_token(tokenizer) else as_comments(snippet, language)


def bare_layout(tokenizer: Tokenizer, template: Template) -> Layout:
    """Return the layout of mode "prefix": nothing but code."""
    # An engine cannot go on from nothing, and documents are parted by this token in training.
    nothing = stop_ids(template, tokenizer)[-1:]
    begins = template.bos is not None and tokenizer.has_control(template.bos)
    bos = [tokenizer.control_id(template.bos)] if template.bos and begins else []
    return lambda code: bos + tokenizer.encode(code) or nothing


def fim_ids(
    prefix: str, suffix: str, tokenizer: Tokenizer, order: FimOrder, filename: str = ""
) -> list[int]:
    """
    Return the fill-in-the-middle prompt as StarCoder was trained on it.

    "psm" is `<fim_prefix> prefix <fim_suffix> suffix <fim_middle>`, "spm" is `<fim_prefix>
    <fim_suffix> suffix <fim_middle> prefix`. A file name stands within the prefix, as
    `<filename>name` and a line end. Source: bigcode-project/Megatron-LM, `permute` in
    megatron/data/gpt_dataset.py. Raises PromptError for a token that the vocabulary lacks.
    """
    start, middle, end = map(tokenizer.control_id, FIM_TOKENS)
    before = tokenizer.encode(prefix)
    if filename:
        named = tokenizer.encode(f"{filename}\n{prefix}")
        before = [tokenizer.control_id("<filename>"), *named]
    after = tokenizer.encode(suffix)
    if order == "psm":
        return [start, *before, end, *after, middle]
    return [start, end, *after, middle, *before]
