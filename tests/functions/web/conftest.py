"""One isolate for the tests that leave nothing behind in it; those that do make their own."""

import pytest
from bare_v8 import Isolate


@pytest.fixture(scope="module")
def isolate() -> Isolate:
    """Return an isolate that the tests of a module share."""
    return Isolate()
