"""A suggestion session whose streams a test scripts, and which never loses patience."""

import pytest

from opencoder_lsp.lsp.habits import Habits
from opencoder_lsp.lsp.suggestion import Session
from tests.lsp.streams import PATIENT, ScriptedSource


@pytest.fixture
def source() -> ScriptedSource:
    return ScriptedSource()


@pytest.fixture
def habits() -> Habits:
    return Habits(patience=PATIENT)


@pytest.fixture
def session(source: ScriptedSource, habits: Habits) -> Session:
    return Session(source, habits)
