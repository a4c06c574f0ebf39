"""What `opencoder-lsp bench` and the project's own benchmarks measure, each workload once."""
