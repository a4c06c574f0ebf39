"""opencoder-lsp: a coding assistant over plain LSP, on your own GPU."""

__version__ = "0.1.0"
