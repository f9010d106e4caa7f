"""Deploys, rollbacks and differences, on a real database."""

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import World, as_bytes, wanted

from fazt.errors import (
    BlobsMissing,
    Conflict,
    FaztError,
    InvalidInput,
    InvalidName,
    InvalidPath,
    InvalidRules,
    SiteLocked,
    SiteNotFound,
    TooLarge,
    VersionNotFound,
)
from fazt.sites import deploy
from fazt.sites.builtin import SOURCE, install_builtin
from fazt.sites.deploy import Deploy, WantedFile
from fazt.sites.local_file import ArchiveLimits
from fazt.store import changes, sites, versions

FILES = {"index.html": "home", "a/b.txt": "b"}
LIMITS = ArchiveLimits(max_files=5, max_file_bytes=100, max_total_bytes=150, max_ratio=100)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def plan(site: str = "blog", files: dict[str, bytes | str] | None = None, **options: bool) -> Deploy:
    content = as_bytes(FILES if files is None else files)
    return Deploy(site, wanted(content), "m", "test", **({"live": True, "create": True} | options))


def test_a_first_deploy_makes_the_site(world: World) -> None:
    made = world.deploy("blog", FILES, message="first")
    assert (made.created, made.live, made.unchanged) == (True, True, False)
    assert made.site.live_version == made.version.number
    assert (made.version.files, made.version.bytes, made.version.message) == (2, 5, "first")
    assert (made.added, made.changed, made.removed) == (("a/b.txt", "index.html"), (), ())
    second = world.deploy("blog", {"index.html": "new", "c.txt": "c"})
    assert (second.created, second.version.parent) == (False, made.version.number)
    assert (second.added, second.changed, second.removed) == (("c.txt",), ("index.html",), ("a/b.txt",))


def test_the_same_again_makes_no_version_and_no_change(world: World) -> None:
    first = world.deploy("blog", FILES)
    before = world.database.read_blocking(changes.last)
    for live in (True, False):
        again = world.deploy("blog", FILES, live=live)
        assert again.unchanged
        assert again.version == first.version
    assert world.database.read_blocking(changes.last) == before
    assert world.database.read_blocking(versions.count, first.site.id) == 1


def test_other_rules_are_a_change(world: World) -> None:
    world.deploy("blog", FILES)
    assert not world.deploy("blog", FILES | {"fazt.json": '{"spa": true}'}).unchanged
    assert not world.deploy("blog", FILES | {"fazt.json": '{"spa": false}'}).unchanged


def test_missing_contents_are_named_and_nothing_is_written(world: World) -> None:
    lacking = world.database.write_blocking(deploy.missing, plan())
    assert {each.hash for each in lacking} == {hashlib.sha256(data).digest() for data in as_bytes(FILES).values()}
    with pytest.raises(BlobsMissing) as caught:
        world.database.write_blocking(deploy.commit, plan())
    assert set(caught.value.details["missing"]) == {each.hash.hex() for each in lacking}
    assert world.database.read_blocking(sites.find, "blog") is None


def test_missing_rules_are_missing_contents(world: World) -> None:
    files = as_bytes(FILES | {"_redirects": "/a /b\n"})
    world.put(as_bytes(FILES))
    with pytest.raises(BlobsMissing) as caught:
        world.database.write_blocking(deploy.commit, plan(files=files))  # type: ignore[arg-type]
    assert caught.value.details["missing"] == [hashlib.sha256(files["_redirects"]).hexdigest()]


@pytest.mark.parametrize(
    ("files", "error", "text"),
    [
        ({"../x": "x"}, InvalidPath, "x"),
        ({"fazt.json": "{"}, InvalidRules, "fazt.json"),
        ({"_redirects": "/only\n"}, InvalidRules, "_redirects:1"),
        ({"_headers": "nonsense\n"}, InvalidRules, "_headers:1"),
        ({"fazt.json": " " * (4 << 20) + "{}"}, InvalidRules, "fazt.json"),
    ],
)
def test_a_refused_deploy_leaves_nothing(
    world: World, files: dict[str, bytes | str], error: type[FaztError], text: str
) -> None:
    with pytest.raises(error, match=text):
        world.deploy("blog", files)
    assert world.database.read_blocking(sites.find, "blog") is None


def test_a_wrong_size_is_refused(world: World) -> None:
    world.put({"x": b"four"})
    files = (WantedFile("x", hashlib.sha256(b"four").digest(), 3),)
    with pytest.raises(InvalidInput, match="size"):
        world.database.write_blocking(deploy.commit, Deploy("blog", files, "", "test", True, True))


def test_locked_and_absent_sites(world: World) -> None:
    with pytest.raises(SiteNotFound):
        world.deploy("blog", FILES, create=False)
    world.deploy("blog", FILES)
    world.database.write_blocking(sites.set_locked, "blog", True)
    for live in (True, False):
        with pytest.raises(SiteLocked):
            world.deploy("blog", {"index.html": "x"}, live=live)
    with pytest.raises(SiteLocked):
        world.database.write_blocking(deploy.rollback, "blog", None)
    assert world.get("/").body == b"home"


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (plan("Blog"), InvalidName),
        (plan("dashboard"), InvalidName),
        (plan(files={f"{n}.txt": "x" for n in range(6)}), TooLarge),
        (plan(files={"x": "x" * 101}), TooLarge),
        (plan(files={"x": "x" * 90, "y": "y" * 90}), TooLarge),
        (plan(files={"/etc/passwd": "x"}), InvalidPath),
        (Deploy("blog", (WantedFile("x", b"short", 1),), "", "test", True, True), InvalidInput),
        (Deploy("blog", (WantedFile("x", bytes(32), -1),), "", "test", True, True), InvalidInput),
    ],
)
def test_checks_before_the_store_is_asked(wrong: Deploy, error: type[FaztError]) -> None:
    deploy.check(plan(), LIMITS)
    with pytest.raises(error):
        deploy.check(wrong, LIMITS)


def test_dry_run_writes_nothing(world: World) -> None:
    first = world.database.read_blocking(deploy.dry_run, plan())
    assert (first.site, first.unchanged, first.added) == (None, False, ("a/b.txt", "index.html"))
    world.deploy("blog", FILES)
    before = world.database.read_blocking(changes.last)
    assert world.database.read_blocking(deploy.dry_run, plan()).unchanged
    other = world.database.read_blocking(deploy.dry_run, plan(files={"index.html": "new", "c": "c"}))
    assert (other.added, other.changed, other.removed) == (("c",), ("index.html",), ("a/b.txt",))
    assert world.database.read_blocking(changes.last) == before
    with pytest.raises(SiteNotFound):
        world.database.read_blocking(deploy.dry_run, plan("other", create=False))


def test_rollback(world: World) -> None:
    with pytest.raises(SiteNotFound):
        world.database.write_blocking(deploy.rollback, "blog", None)
    one = world.deploy("blog", {"index.html": "one"}).version
    with pytest.raises(Conflict, match="blog"):
        world.database.write_blocking(deploy.rollback, "blog", None)
    two = world.deploy("blog", {"index.html": "two"}).version
    three = world.deploy("blog", {"index.html": "three"}).version
    assert world.database.write_blocking(deploy.rollback, "blog", None) == two
    assert world.get("/").body == b"two"
    assert world.database.write_blocking(deploy.rollback, "blog", None) == three
    assert world.database.write_blocking(deploy.rollback, "blog", one.id[:8]) == one
    assert world.get("/").body == b"one"
    with pytest.raises(VersionNotFound):
        world.database.write_blocking(deploy.rollback, "blog", "0" * 32)


def test_diff(world: World) -> None:
    one = world.deploy("blog", FILES).version
    two = world.deploy("blog", {"index.html": "new", "c.txt": "c"}).version
    expected = deploy.Diff(("c.txt",), ("index.html",), ("a/b.txt",))
    assert world.database.read_blocking(deploy.diff, "blog", one.id, None) == expected
    assert world.database.read_blocking(deploy.diff, "blog", one.id[:8], two.id[:8]) == expected
    assert world.database.read_blocking(deploy.diff, "blog", "live", two.id).is_empty


def test_a_thousand_files_commit_quickly(world: World) -> None:
    files = {f"folder{n % 37}/file-{n}.html": f"page {n}".encode() for n in range(1000)}
    world.put(files)
    deploying = Deploy("blog", wanted(files), "", "test", True, True)
    began = time.perf_counter()
    made = world.database.write_blocking(deploy.commit, deploying)
    took = time.perf_counter() - began
    assert made.version.files == 1000
    assert took < 0.5, f"{took:.3f} s"  # some 40 ms on a quiet machine


def make_apps(folder: Path, text: str) -> Path:
    for name in ("root", "404"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "index.html").write_text(f"{text} {name}")
    return folder


def test_builtin_sites_follow_fazt_until_their_owner_deploys(world: World, tmp_path: Path) -> None:
    world.database.write_blocking(install_builtin, make_apps(tmp_path / "apps", "old"))
    assert world.get("/", host="localhost").body == b"old root"
    before = world.database.read_blocking(changes.last)
    world.database.write_blocking(install_builtin, make_apps(tmp_path / "apps", "old"))
    assert world.database.read_blocking(changes.last) == before
    world.deploy("root", {"index.html": "mine"})
    world.database.write_blocking(install_builtin, make_apps(tmp_path / "apps", "new"))
    assert world.get("/", host="localhost").body == b"mine"
    missing = world.get("/", host="nobody.localhost")
    assert (missing.status, missing.body) == (404, b"new 404")
    live = world.database.read_blocking(sites.get, "404").live_version
    assert live is not None
    assert world.database.read_blocking(versions.by_number, live).source == SOURCE


def test_the_sites_that_come_with_fazt_install(world: World) -> None:
    world.database.write_blocking(install_builtin)
    assert world.get("/", host="localhost").status == 200
    assert b"<title>" in world.get("/", host="404.localhost").body
