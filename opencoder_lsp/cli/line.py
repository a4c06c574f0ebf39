"""A line that the user types, with editing and history where Python has readline."""

try:
    import readline
except ImportError:  # built without it: lines are read all the same
    readline = None  # type: ignore[assignment]


def read(start: str = "") -> str | None:
    """Return the line that is typed behind `start`; None at the end of the input."""
    if readline is not None:
        readline.set_startup_hook(lambda: readline.insert_text(start))
    try:
        return input("> ")
    except EOFError:
        return None
    finally:
        if readline is not None:
            readline.set_startup_hook()
