"""The API before a scripted engine, as its own tests have it."""

from tests.api.conftest import fake as fake
from tests.api.conftest import model_folder as model_folder
from tests.api.conftest import serve as serve
from tests.api.conftest import settings as settings
