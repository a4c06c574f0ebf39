"""`python -m opencoder_lsp` is `opencoder-lsp`."""

from opencoder_lsp.cli.main import main

main()
