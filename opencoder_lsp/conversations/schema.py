"""
The tables of the conversations, as a list of migrations: see `opencoder_lsp.database`.

A migration that was released is never changed; what is new is one more at the end.
"""

MIGRATIONS = (
    # "IF NOT EXISTS" because files of the first days have all of it and no version.
    (
        """
        CREATE TABLE IF NOT EXISTS conversation (
            id TEXT PRIMARY KEY,
            title TEXT NOT NULL,
            updated REAL NOT NULL
        )
        """,
        """
        CREATE TABLE IF NOT EXISTS message (
            number INTEGER PRIMARY KEY,
            conversation TEXT NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
            role TEXT NOT NULL,
            content TEXT NOT NULL
        )
        """,
        "CREATE INDEX IF NOT EXISTS message_of ON message (conversation, number)",
    ),
    # Conversations know their workspace, messages have an id and what is to be told of them.
    # `attachments` is a JSON list of objects with the fields of `Attachment`.
    (
        "ALTER TABLE conversation ADD COLUMN workspace TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE conversation ADD COLUMN created REAL NOT NULL DEFAULT 0",
        "UPDATE conversation SET created = updated",
        "CREATE INDEX conversation_of ON conversation (workspace, updated)",
        "ALTER TABLE message ADD COLUMN id TEXT NOT NULL DEFAULT ''",
        "UPDATE message SET id = lower(hex(randomblob(16)))",
        "CREATE UNIQUE INDEX message_id ON message (id)",
        "ALTER TABLE message ADD COLUMN time REAL NOT NULL DEFAULT 0",
        "UPDATE message SET time"
        " = (SELECT updated FROM conversation AS c WHERE c.id = message.conversation)",
        "ALTER TABLE message ADD COLUMN finish_reason TEXT",
        "ALTER TABLE message ADD COLUMN model TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE message ADD COLUMN attachments TEXT NOT NULL DEFAULT '[]'",
    ),
    # What the chat page sorts and sets: folders, prompts, and a conversation's own system prompt
    # and temperature, NULL for those of the settings.
    (
        "ALTER TABLE conversation ADD COLUMN folder TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE conversation ADD COLUMN system TEXT",
        "ALTER TABLE conversation ADD COLUMN temperature REAL",
        "CREATE TABLE folder (id TEXT PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL)",
        "CREATE TABLE prompt (id TEXT PRIMARY KEY, name TEXT NOT NULL, description TEXT NOT NULL,"
        " content TEXT NOT NULL, folder TEXT NOT NULL DEFAULT '')",
    ),
)
