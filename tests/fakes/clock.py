"""A clock that stands still until a test moves it."""


class Clock:
    """Call it for the time in seconds; `now` may be set from any thread."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now
