"""Tests of `opencoder_lsp.api`."""
