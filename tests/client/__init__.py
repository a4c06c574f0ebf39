"""Tests of `opencoder_lsp.client`."""
