"""The language server in real editors."""
