"""One loop for a test, on the event loop that the server has."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop


@pytest.fixture
def on_loop() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    return uvloop.run
