"""The recipes for deployment."""
