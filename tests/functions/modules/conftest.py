"""The compiler, once for all tests of modules, and sites to run."""

from collections.abc import Iterator, Mapping

import pytest
from module_isolate import Compiler, MakeSite, Site


@pytest.fixture(scope="session")
def compiler() -> Iterator[Compiler]:
    made = Compiler()
    yield made
    made.close()


@pytest.fixture
def site(compiler: Compiler) -> Iterator[MakeSite]:
    """Give a function that compiles sources by path and returns the isolate that they are loaded in."""
    sites: list[Site] = []

    def make(sources: Mapping[str, str]) -> Site:
        sites.append(Site(compiler, {path: compiler.code(path, source) for path, source in sources.items()}))
        return sites[-1]

    yield make
    for each in sites:
        each.close()
