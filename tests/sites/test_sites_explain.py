"""`explain` tells what `resolve` does: same status, same file, same fields."""

from collections.abc import Iterator

import pytest
from serving import World

from fazt.errors import InvalidInput
from fazt.sites.builtin import install_builtin
from fazt.sites.explain import Explanation, explain

FILES = {
    "index.html": "home",
    "about.html": "about",
    "dir/index.html": "dir",
    "ü.txt": "u",
    "_redirects": "/old /about 301\n",
    "_headers": "/*\n  X-Note: yes\n",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("explain"))
    made.database.write_blocking(install_builtin)
    made.deploy("blog", FILES)
    yield made
    made.close()


def told(world: World, url: str) -> Explanation:
    return world.database.read_blocking(explain, world.hosting, url)


@pytest.mark.parametrize(
    ("url", "status", "file"),
    [
        ("http://blog.localhost:4698/", 200, "index.html"),
        ("blog.localhost/about", 200, "about.html"),
        ("https://BLOG.localhost./about?x=1", 200, "about.html"),
        ("blog.localhost/dir", 308, None),
        ("blog.localhost/old", 301, None),
        ("blog.localhost/nothing", 404, "index.html"),
        ("blog.localhost/ü.txt", 200, "ü.txt"),
        ("blog.localhost/%C3%BC.txt", 200, "ü.txt"),
        ("nobody.localhost", 404, "index.html"),
        ("www.localhost/x", 308, None),
        ("dashboard.localhost", None, None),
        ("blog.localhost/api/x", None, None),
        ("blog.localhost/_fazt/health", None, None),
    ],
)
def test_it_says_what_is_served(world: World, url: str, status: int | None, file: str | None) -> None:
    explanation = told(world, url)
    assert (explanation.status, explanation.file) == (status, file)
    assert explanation.steps
    assert all(step.step and step.result for step in explanation.steps)


def test_the_steps_and_fields(world: World) -> None:
    explanation = told(world, "blog.localhost/dir?x=1")
    steps = {step.step: step.result for step in explanation.steps}
    assert "blog" in steps["host"]
    assert steps["path"] == "/dir"
    assert "/dir/" in steps["files"]
    assert dict(explanation.headers)["Location"] == "/dir/?x=1"
    assert dict(told(world, "blog.localhost/about").headers)["X-Note"] == "yes"


@pytest.mark.parametrize("url", ["", "/", "http://", "http://a b/", "http://user@blog.localhost/", "http://[::1/"])
def test_a_url_without_a_host_is_refused(world: World, url: str) -> None:
    with pytest.raises(InvalidInput):
        told(world, url)
