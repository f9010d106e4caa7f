"""The remotes: where their tokens lie, and which URLs may carry one."""

import stat
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fazt.cli import client, remotes
from fazt.errors import InvalidInput

TOKEN = "fazt_" + "t" * 43


@pytest.fixture
def home(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAZT_TOKEN", TOKEN)
    assert run("remote", "add", "home", "https://dashboard.example.org/").code == 0
    monkeypatch.delenv("FAZT_TOKEN")


@pytest.mark.usefixtures("home")
def test_the_token_is_for_its_owner_alone(run: Callable[..., Any]) -> None:
    place = remotes.path()
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert orjson.loads(place.read_bytes())["items"] == [
        {"name": "home", "url": "https://dashboard.example.org", "token": TOKEN}
    ]
    assert list(place.parent.iterdir()) == [place]
    for arguments in (["list"], ["list", "--json"], ["use", "home"], ["remove", "home"]):
        done = run("remote", *arguments)
        assert done.code == 0
        assert TOKEN not in done.out + done.err


def test_the_token_comes_from_the_environment_or_a_pipe_and_is_not_shown(run: Callable[..., Any]) -> None:
    done = run("remote", "add", "home", "dashboard.example.org", stdin=TOKEN.encode() + b"\n")
    assert done.code == 0
    assert TOKEN not in done.out + done.err
    assert remotes.find("home") == remotes.Remote("home", "https://dashboard.example.org", TOKEN)
    assert run("remote", "add", "away", "dashboard.example.org", stdin=b"").code == 1
    assert run("remote", "add", "away", "dashboard.example.org", stdin="tök\n".encode()).code == 1
    assert [item.name for item in remotes.load().items] == ["home"]


@pytest.mark.usefixtures("home")
def test_use_and_remove(run: Callable[..., Any]) -> None:
    assert run("remote", "use", "away").code == 1
    assert run("remote", "use", "home").code == 0
    assert remotes.load().current == "home"
    assert "in use" in run("remote", "list").out
    assert run("remote", "use", "local").code == 0
    assert remotes.load().current is None
    run("remote", "use", "home")
    assert run("remote", "remove", "home").code == 0
    assert remotes.load() == remotes.Remotes(None, ())
    assert "There is no remote yet" in run("remote", "list").out
    assert run("remote", "remove", "home").code == 1


@pytest.mark.usefixtures("home")
def test_which_server_a_command_is_about(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def chosen(db: str | None = None, remote: str | None = None) -> str | None:
        return client.remote_name(db, remote)

    assert chosen() is None
    run("remote", "use", "home")
    assert chosen() == "home"
    assert chosen(remote="other") == "other"
    assert chosen(remote="local") is None
    assert chosen(db="data.db") is None
    monkeypatch.setenv("FAZT_DB", "data.db")
    assert chosen() is None
    monkeypatch.setenv("FAZT_REMOTE", "away")
    assert chosen() == "away"
    assert chosen(db="data.db") is None
    monkeypatch.setenv("FAZT_REMOTE", "local")
    assert chosen() is None


def test_an_unknown_remote_is_named_with_the_known(run: Callable[..., Any]) -> None:
    done = run("sites", "list", "--remote", "home")
    assert (done.code, done.out) == (1, "")
    assert "There is no remote 'home' (known: none yet)" in done.err


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"current": null}', b'{"current": null, "items": [{"a": 1}]}'])
def test_a_damaged_file_is_named(run: Callable[..., Any], content: bytes) -> None:
    remotes.path().parent.mkdir(parents=True)
    remotes.path().write_bytes(content)
    done = run("remote", "list")
    assert done.code == 1
    assert f"{remotes.path()} is damaged" in done.err


@pytest.mark.parametrize("name", ["", ".hidden", "local", "a b", "a/b", "-x", "x" * 64])
def test_names_that_cannot_be(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("FAZT_TOKEN", TOKEN)
    assert run("remote", "add", "--", name, "https://dashboard.example.org").code == 1
    assert not remotes.path().exists()


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://dashboard.example.org", "https://dashboard.example.org"),
        ("dashboard.example.org:8443", "https://dashboard.example.org:8443"),
        ("https://DASHBOARD.example.org/api/", "https://dashboard.example.org"),
        ("https://dashboard.bücher.example", "https://dashboard.xn--bcher-kva.example"),
        ("http://dashboard.localhost:4698/", "http://dashboard.localhost:4698"),
        ("http://localhost", "http://localhost"),
        ("http://127.0.0.2:80", "http://127.0.0.2:80"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_urls(url: str, kept: str) -> None:
    assert remotes.check_url(url, insecure=False) == kept


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://",
        "ftp://example.org",
        "https://user:pw@example.org",
        "https://:pw@example.org",
        "https://example.org:99999",
        "https://example.org:port",
        "https://[::1",
        "https://example.org?x",
        "https://example.org#x",
        "https://" + "a" * 64 + ".org",
        "https://a..b",
    ],
)
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(InvalidInput):
        remotes.check_url(url, insecure=True)


@pytest.mark.parametrize(
    "url", ["http://example.org", "http://127.example.org", "http://10.0.0.1", "http://localhost.org"]
)
def test_a_token_never_goes_in_the_clear(url: str) -> None:
    with pytest.raises(InvalidInput, match="in the clear"):
        remotes.check_url(url, insecure=False)
    assert remotes.check_url(url, insecure=True) == url


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=40) | st.from_regex(r"https?://[a-z.\[\]:@%0-9é]{0,20}(:[0-9]{0,6})?", fullmatch=True))
def test_any_text_is_a_url_or_refused(url: str) -> None:
    try:
        kept = remotes.check_url(url, insecure=True)
    except InvalidInput:
        return
    assert remotes.check_url(kept, insecure=True) == kept
    assert kept.isascii()
    assert kept.isprintable()
