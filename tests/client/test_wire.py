"""What an engine says of itself, checked at the edge."""

import json

import pytest

from opencoder_lsp.client.wire import read_health
from opencoder_lsp.errors import EngineError


@pytest.mark.parametrize("field", ["progress", "context_length", "running"])
@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_health_that_is_not_finite_is_refused(field: str, value: str) -> None:
    body = json.loads(f'{{"state": "ready", "{field}": {value}}}')
    with pytest.raises(EngineError):
        read_health(body)
