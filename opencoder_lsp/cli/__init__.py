"""The commands of `opencoder-lsp`; the only place that prints and that sets up logging."""
