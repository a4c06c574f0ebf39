"""What the engine's HTTP and the API's have in common."""
