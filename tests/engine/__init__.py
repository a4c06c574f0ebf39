"""Tests of opencoder_lsp.engine."""
