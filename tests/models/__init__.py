"""Tests of opencoder_lsp.models."""
