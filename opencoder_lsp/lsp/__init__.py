"""The language server: LSP over stdio for any editor."""
