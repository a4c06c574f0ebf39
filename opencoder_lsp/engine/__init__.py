"""The process that holds the model: token ids in, text pieces out."""
