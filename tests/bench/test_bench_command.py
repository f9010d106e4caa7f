"""`fazt bench`: what it asks for, what it prints, and when it fails."""

import http.server
import json
import threading
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from fazt.bench import suite
from fazt.cli import bench as command
from fazt.errors import InvalidInput


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        found = self.path == "/page?a=b" and self.headers["X-Kind"] == "1" and self.headers["Host"].startswith("hello.")
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://hello.localhost:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def invoke(*arguments: str) -> Result:
    """Run the command; its return value is the exit code, as in `fazt.cli.main`."""
    done = CliRunner().invoke(command.bench, arguments, standalone_mode=False)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_a_url_is_measured(base: str) -> None:
    done = invoke(f"{base}/page?a=b", "--duration", "0.3", "--connections", "3", "--header", "X-Kind: 1")
    assert done.return_value == 0
    assert done.stdout.startswith("3 connections for 0.3 s")
    for word in ("requests/s", "p50", "p99.9", "× 200", "server CPU"):
        assert word in done.stdout
    assert done.stderr == ""


def test_the_result_as_json(base: str) -> None:
    done = invoke(
        f"{base}/page?a=b", "--duration", "0.3", "--rate", "200", "--header", "X-Kind: 1", "--pipeline", "2", "--json"
    )
    values = json.loads(done.stdout)
    assert done.return_value == 0
    assert values["rate"] == 200.0
    assert values["statuses"].keys() == {"200"}
    assert values["latency"]["p50_us"] > 0
    assert values["requests_per_s"] > 0
    assert values["faults"] == []


def test_wrong_answers_are_a_failure(base: str) -> None:
    done = invoke(f"{base}/nothing", "--duration", "0.2")
    assert done.return_value == 1
    assert "with status 404" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Give a URL, or --suite"),
        (["http://x.localhost/", "--suite"], "Give a URL, or --suite"),
        (["http://x.localhost/", "--quick"], "belong to --suite"),
        (["https://x.localhost/"], "Only http://"),
        (["http://"], "Only http://"),
        (["http://x.localhost:99999/"], "no valid port"),
        (["http://x.localhost/", "--header", "nonsense"], "--header wants"),
        (["http://x.localhost/", "--header", "A: b\r\nC: d"], "--header wants"),
    ],
)
def test_wrong_usage(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(command.bench, arguments)
    assert done.exit_code == 2
    assert said in done.stderr


def test_an_unknown_peer() -> None:
    with pytest.raises(InvalidInput, match="--against knows nginx, not apache"):
        suite.run_suite(quick=True, against="apache", say=print)
