"""OpenAI's ChatCompletions API on the shared engine: a front without torch."""
