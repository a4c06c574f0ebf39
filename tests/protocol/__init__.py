"""Tests of the language server through its pipes, as an editor sees it; see README.md here."""
