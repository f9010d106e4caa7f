"""The examples and the code of docs/functions.md, deployed on a real server and driven as visitors would."""

import contextlib
import http.client
import json
import re
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from loopback import FaztServer, free_port
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

pytestmark = pytest.mark.slow  # a server and what is written for it: CI has the time

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
DOCUMENT = (ROOT / "docs" / "functions.md").read_text()
CODE = re.compile(r"^```(?:js|ts|jsx)\n// (api/\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
JSON_FILE = re.compile(r"^```json fazt\.json\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HONO = re.compile(r'^```js\n(import \{ Hono \} from "hono";.*?)^```$', re.MULTILINE | re.DOTALL)
VENDORED = ROOT / "tests" / "functions" / "modules" / "fixtures" / "shop" / "api" / "_vendor"
TIMEOUT_S = 10


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaztServer]:
    """One server for all examples: they are sites beside each other, as on their owner's machine."""
    server = FaztServer(tmp_path_factory.mktemp("examples") / "data.db", free_port())
    yield server.start()
    if server.process is not None and server.process.poll() is None:
        server.stop()


class Visitor:
    """Somebody who visits a site."""

    def __init__(self, server: FaztServer, site: str) -> None:
        self.server = server
        self.host = f"{site}.localhost:{server.port}"

    def ask(
        self, method: str, path: str, body: bytes | str | None = None, headers: dict[str, str] | None = None
    ) -> tuple[http.client.HTTPResponse, str]:
        with self.server.connection() as connection:
            connection.request(method, path, body, {"Host": self.host, **(headers or {})})
            response = connection.getresponse()
            return response, response.read().decode()

    def get(self, path: str, headers: dict[str, str] | None = None) -> str:
        response, text = self.ask("GET", path, None, headers)
        assert response.status == 200, text
        return text

    def send_form(self, path: str, **fields: str) -> tuple[http.client.HTTPResponse, str]:
        return self.ask("POST", path, urlencode(fields), {"Content-Type": "application/x-www-form-urlencoded"})

    def send_json(self, path: str, value: Any, method: str = "POST") -> tuple[http.client.HTTPResponse, str]:
        return self.ask(method, path, json.dumps(value), {"Content-Type": "application/json"})


def wait_for(found: Callable[[], Any], what: str) -> Any:
    """Return what a look from outside finds, as soon as it finds something."""
    deadline = time.monotonic() + TIMEOUT_S
    while not (value := found()):
        assert time.monotonic() < deadline, f"there is no {what}"
        time.sleep(0.02)  # it happens in another process, which tells nobody
    return value


# --- guest book ---


@pytest.fixture(scope="module")
def book(host: FaztServer) -> Visitor:
    host.cli("deploy", str(EXAMPLES / "guestbook"))
    return Visitor(host, "guestbook")


def forget_rate(book: Visitor) -> None:
    """Let the same address write again at once."""
    book.server.cli("kv", "guestbook", "remove", "rate/127.0.0.1", check=False)


def test_guest_book_takes_a_form_and_shows_it_escaped(book: Visitor) -> None:
    forget_rate(book)
    response, _ = book.send_form("/api/entries", name=" Ada  Lovelace ", text="<script>alert(1)</script>\r\n& more")
    assert (response.status, response.headers["location"]) == (303, "/api/book")
    newest = json.loads(book.get("/api/entries"))["entries"][0]
    assert (newest["name"], newest["text"]) == ("Ada Lovelace", "<script>alert(1)</script>\n& more")
    page = book.get("/api/book")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\n&amp; more" in page
    assert "<script" not in page


def test_guest_book_page_is_that_of_the_site(book: Visitor) -> None:
    """The page without JavaScript is made of index.html; a mark that is not found there would be lost silently."""
    page, made = book.get("/"), book.get("/api/book")
    assert "http-equiv" in page
    assert "http-equiv" not in made
    assert '<ol class="entries"></ol>' in page
    assert 'name="name" required maxlength="40" autocomplete="name" value=""' in made
    assert re.sub(r"(?s)<main>.*</main>|<script.*?/script>|<noscript>.*?</noscript>", "", page) == re.sub(
        r"(?s)<main>.*</main>", "", made
    )


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"name": "", "text": "hello"}, "Please give a name"),
        ({"name": "x" * 41, "text": "hello"}, "Please give a name"),
        ({"name": "Ada", "text": " \n "}, "Please write something"),
        ({"name": "Ada", "text": "x" * 501}, "501 letters are too many"),
    ],
)
def test_guest_book_refuses_what_is_no_entry(book: Visitor, fields: dict[str, str], problem: str) -> None:
    response, page = book.send_form("/api/entries", **fields)
    assert response.status == 422
    assert problem in page
    assert fields["name"] in page  # what was written is not lost
    response, text = book.send_json("/api/entries", fields)
    assert response.status == 422
    assert json.loads(text)["problem"].startswith(problem)


@pytest.mark.parametrize("body", ["null", "[1]", "7", "{", '{"name": {"a": 1}, "text": "\\ud800"}'])
def test_guest_book_survives_any_json(book: Visitor, body: str) -> None:
    forget_rate(book)
    response, _ = book.ask("POST", "/api/entries", body, {"Content-Type": "application/json"})
    assert response.status in (201, 400, 422)


def test_guest_book_lets_nobody_write_all_the_time(book: Visitor) -> None:
    forget_rate(book)
    statuses = [book.send_json("/api/entries", {"name": "Ada", "text": str(n)})[0].status for n in range(5)]
    assert statuses == [201, 201, 201, 429, 429]
    response, page = book.send_form("/api/entries", name="Ada", text="once more")
    assert (response.status, response.headers["retry-after"]) == (429, None)
    assert "Please wait a minute" in page


def test_guest_book_has_pages_and_survives_a_restart(book: Visitor) -> None:
    written = []
    for number in range(13):
        if number % 3 == 0:
            forget_rate(book)
        written.append(json.loads(book.send_json("/api/entries", {"name": "Ada", "text": f"no. {number}"})[1])["id"])
    first = json.loads(book.get("/api/entries"))
    assert len(first["entries"]) == 10
    second = json.loads(book.get(f"/api/entries?after={first['next']}"))
    assert [entry["id"] for entry in first["entries"] + second["entries"]][:13] == written[::-1]
    assert f'href="/api/book?after={first["next"]}#entries-title"' in book.get("/api/book")

    book.server.stop()
    book.server.start()
    assert json.loads(book.get("/api/entries")) == first


# --- chat ---


@pytest.fixture(scope="module")
def chat(host: FaztServer) -> Visitor:
    host.cli("deploy", str(EXAMPLES / "chat"))
    return Visitor(host, "chat")


class Guest:
    """A page of the chat that is open."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def wait_for(self, kind: str) -> dict[str, Any]:
        """Return the next message of a kind; others are passed over."""
        while True:
            message: dict[str, Any] = json.loads(self.connection.recv(timeout=TIMEOUT_S))
            if message["type"] == kind:
                return message

    def say(self, text: Any) -> None:
        self.connection.send(json.dumps({"type": "send", "data": text}))


@contextlib.contextmanager
def guest(chat: Visitor, name: str) -> Iterator[Guest]:
    raw = socket.create_connection(("127.0.0.1", chat.server.port), timeout=TIMEOUT_S)
    url = f"ws://{chat.host}/_fazt/room/chat?{urlencode({'name': name})}"
    with connect(url, sock=raw, origin=Origin(f"http://{chat.host}"), proxy=None) as connection:
        yield Guest(connection)


def test_chat_between_two(chat: Visitor) -> None:
    with contextlib.ExitStack() as open_pages:
        ada = open_pages.enter_context(guest(chat, "  Ada "))
        assert [member["name"] for member in ada.wait_for("welcome")["members"]] == ["Ada"]
        with guest(chat, "Grace Hopper") as grace:
            assert ada.wait_for("join")["member"]["name"] == "Grace Hopper"
            assert {member["name"] for member in grace.wait_for("welcome")["members"]} == {"Ada", "Grace Hopper"}

            ada.say("  hello, <b>Grace</b>  ")
            for page in (ada, grace):
                message = page.wait_for("message")
                assert (message["from"]["name"], message["data"]["text"]) == ("Ada", "hello, <b>Grace</b>")
                assert 0 <= message["data"]["hue"] < 360

            for nothing in ("   ", 7, {"text": "sneaky", "hue": 1}, None):
                grace.say(nothing)
            grace.say("heck, " + "x" * 600)
            assert ada.wait_for("message")["data"]["text"] == "****, " + "x" * 494

            late = open_pages.enter_context(guest(chat, "Linus"))
            late.wait_for("welcome")
            assert late.wait_for("message")["data"]["text"] == "hello, <b>Grace</b>"
        assert late.wait_for("leave")["member"]["name"] == "Grace Hopper"


@pytest.mark.parametrize("name", ["", "x", "admin", "<b>Ada</b>", "x" * 25, "\u202eadA", "- -"])
def test_chat_refuses_a_bad_name(chat: Visitor, name: str) -> None:
    with guest(chat, name) as page, pytest.raises(ConnectionClosedError) as refused:
        page.connection.recv(timeout=TIMEOUT_S)
    assert refused.value.rcvd is not None
    assert refused.value.rcvd.code in (4400, 4403)


# --- hourly ---


def test_hourly_run_and_the_job_that_it_queues(host: FaztServer) -> None:
    host.cli("deploy", str(EXAMPLES / "hourly"))
    tower = Visitor(host, "hourly")
    trigger = json.loads(host.cli("cron", "list", "hourly", "--json").stdout)["items"][0]
    assert (trigger["name"], trigger["schedule"]) == ("strike", "every 1h")
    assert all(at.endswith(":00:00.000Z") for at in trigger["upcoming"])

    def strikes() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(tower.get("/api/strikes"))["strikes"]
        return found

    host.cli("cron", "run", "hourly", "strike")
    strike = wait_for(strikes, "strike")[0]
    assert 1 <= strike["strikes"] <= 12
    assert strike["struck"] >= strike["due"]
    listed = json.loads(host.cli("jobs", "list", "hourly", "--json").stdout)["items"]
    job = next(item for item in listed if item["kind"] == "job")
    assert job["name"] == "echo"
    host.cli("jobs", "retry", job["id"], check=False)  # now, not in three seconds; it may have run already
    wait_for(lambda: strikes()[0]["echo"], "echo")


# --- docs/functions.md ---


@pytest.fixture(scope="module")
def samples(host: FaztServer, tmp_path_factory: pytest.TempPathFactory) -> Visitor:
    """Return the site that the code blocks with a file's name make."""
    folder = tmp_path_factory.mktemp("samples")
    files = dict(CODE.findall(DOCUMENT))
    assert len(files) >= 10
    for path, text in {**files, "motto.txt": "Onwards"}.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    host.cli("deploy", str(folder), "--site", "samples")
    host.cli("secrets", "set", "samples", "ADMIN_TOKEN", stdin=b"open")
    return Visitor(host, "samples")


def test_samples_of_handlers(samples: Visitor) -> None:
    assert json.loads(samples.get("/api/hello")) == {"hello": "world", "visits": 1}
    assert samples.ask("GET", "/api/notes/7")[0].status == 404
    assert samples.send_json("/api/notes/7", {"text": "buy milk"}, "PUT")[0].status == 204
    assert json.loads(samples.get("/api/notes/7"))["text"] == "buy milk"
    response, _ = samples.ask("DELETE", "/api/notes/7")
    assert (response.status, response.headers["allow"]) == (405, "GET, PUT, HEAD, OPTIONS")
    response, _ = samples.ask("OPTIONS", "/api/notes/7")
    assert (response.status, response.headers["allow"]) == (204, "GET, PUT, HEAD, OPTIONS")
    assert samples.ask("PATCH", "/api/any")[1] == "PATCH /api/any\n"
    assert samples.get("/api/worker") == "Hello\n"
    assert "<h1>Hello, &lt;b&gt;</h1>" in samples.get("/api/page?name=%3Cb%3E")


def test_sample_of_middleware(samples: Visitor) -> None:
    assert samples.ask("GET", "/api/admin/visits")[0].status == 401
    response, text = samples.ask("GET", "/api/admin/visits", headers={"Authorization": "Bearer open"})
    assert (response.status, response.headers["cache-control"]) == (200, "no-store")
    assert "visits" in json.loads(text)


def test_samples_of_data(samples: Visitor) -> None:
    tour = json.loads(samples.get("/api/tour"))
    assert (tour["greeting"], tour["visits"], tour["left"]) == ({"text": "hello"}, 1, 3)
    assert json.loads(samples.get("/api/tour"))["left"] == 2
    assert json.loads(samples.get("/api/motto"))["text"] == "Onwards"
    response, text = samples.ask("PUT", "/api/motto", "Homewards")
    assert response.status == 201
    assert json.loads(text)["version"]
    assert json.loads(samples.get("/api/motto"))["text"] == "Homewards"
    assert samples.get("/motto.txt") == "Homewards"


def test_samples_of_streams(samples: Visitor) -> None:
    response, text = samples.ask("GET", "/api/proxy")
    assert (json.loads(text)["hello"], response.headers["x-came-by"]) == ("world", "proxy")
    assert samples.get("/api/ticks") == "".join(f'id: {n}\ndata: {{"n":{n}}}\n\n' for n in (1, 2, 3))
    assert samples.get("/api/ticks", {"Last-Event-ID": "7"}).startswith("id: 8\n")


def test_sample_of_hono(host: FaztServer, tmp_path: Path) -> None:
    (tmp_path / "api/_vendor").mkdir(parents=True)
    shutil.copy(VENDORED / "hono.js", tmp_path / "api/_vendor")
    (code,) = HONO.findall(DOCUMENT)
    (tmp_path / "api/index.js").write_text(code)
    host.cli("deploy", str(tmp_path), "--site", "hono")
    host.cli("kv", "hono", "set", "note/7", '{"text": "buy milk"}')
    assert json.loads(Visitor(host, "hono").get("/api/notes/7")) == {"text": "buy milk"}


def test_sample_of_the_settings(host: FaztServer, tmp_path: Path) -> None:
    (tmp_path / "api").mkdir()
    (tmp_path / "api/env.js").write_text("export const GET = (request, { env }) => new Response(env.GREETING);")
    (text,) = JSON_FILE.findall(DOCUMENT)
    (tmp_path / "fazt.json").write_text(text)
    host.cli("deploy", str(tmp_path), "--site", "settings")
    site = Visitor(host, "settings")
    assert site.get("/api/env") == "Good morning"
    host.cli("env", "set", "settings", "GREETING=Hello")
    assert site.get("/api/env") == "Hello"
