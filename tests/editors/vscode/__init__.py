"""The extension for VS Code, in a real VS Code."""
