"""Everything that goes wrong around an editor's assistant, by the ids of `table.py`."""
