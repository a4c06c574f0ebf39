"""Tests of `opencoder_lsp.bench`."""
