"""From what the user has (a conversation, a document and a position) to token ids."""
