"""The conversations that a user has had, shared by every front."""
