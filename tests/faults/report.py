"""The table of faults as it is printed: each id, what its tests came to, and which they are."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

import pytest

from tests.faults.table import FAULTS, LEFT_OUT, OUTSIDE

# The first of these that one of its tests came to is what an id came to.
OUTCOMES = ("error", "failed", "passed", "skipped")


def ids_of(item: pytest.Item) -> list[str]:
    """The faults that a test proves, by its marks."""
    return [id for mark in item.iter_markers("fault") for id in mark.args]


def lines(reports: Iterable[tuple[str, str, list[str]]]) -> Iterator[str]:
    """Yield the table; of each test that was run, `reports` has outcome, node id and fault ids."""
    outcomes, tests = defaultdict[str, set[str]](set), defaultdict[str, Counter[str]](Counter)
    for outcome, node, ids in reports:
        for id in ids:
            outcomes[id].add(outcome)
            tests[id][node.partition("[")[0]] += 1
    for id, sentence in FAULTS.items():
        came_to = next((outcome for outcome in OUTCOMES if outcome in outcomes[id]), "not run")
        yield f"{id:4}{came_to:9}{sentence}"
        for node, count in tests[id].items():
            yield f"{'':13}{node}{f' ({count})' if count > 1 else ''}"
        if why := LEFT_OUT.get(id):
            yield f"{'':13}but: {why}"
    for id, why in OUTSIDE.items():
        yield f"{id:4}{'outside':9}{why}"
