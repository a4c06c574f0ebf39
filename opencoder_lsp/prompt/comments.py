"""Text as comments, by the language id of LSP."""

# What a comment line begins with, and what it ends with where it must.
_SLASHES = ("//", "")
_HASH = ("#", "")
_DASHES = ("--", "")
_MARKUP = ("<!--", "-->")
_STYLE: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("lua", "sql", "haskell", "ada", "elm", "vhdl"), _DASHES),
    **dict.fromkeys(("html", "xml", "markdown", "vue", "svelte", "astro", "svg"), _MARKUP),
    **dict.fromkeys(("css", "ocaml"), ("/*", "*/")),
    **dict.fromkeys(("lisp", "clojure", "scheme", "racket", "emacs-lisp"), (";;", "")),
    **dict.fromkeys(("latex", "tex", "bibtex", "erlang", "matlab", "prolog"), ("%", "")),
    **dict.fromkeys(
        (
            *("c", "cpp", "csharp", "cuda-cpp", "dart", "fsharp", "go", "groovy", "java"),
            *("javascript", "javascriptreact", "jsonc", "kotlin", "less", "objective-c"),
            *("objective-cpp", "php", "proto", "rust", "scala", "scss", "swift", "typescript"),
            *("typescriptreact", "verilog", "zig"),
        ),
        _SLASHES,
    ),
    "bat": ("REM", ""),
    "vb": ("'", ""),
    "vim": ('"', ""),
}
_STYLE["ocaml"] = ("(*", "*)")


def commented(text: str, language: str) -> str:
    """
    Return every line of `text` as a comment of `language`, each with a line end.

    A language that is not known gets `#`, as most configuration files have it. What would end a
    comment early is taken apart.
    """
    opening, closing = _STYLE.get(language, _HASH)
    lines = []
    for line in text.splitlines():
        safe = line.replace(closing, " ".join(closing)) if closing else line
        lines.append(" ".join(part for part in (opening, safe, closing) if part) + "\n")
    return "".join(lines)
