"""What the watch is told of what was served: requests and runs, each failure once."""

import socket

from api_calls import Api

from fazt.api.call_log import CallLog
from fazt.api.telling import served
from fazt.functions.calls import Report
from fazt.notifications.watch import Served
from fazt.settings import read_networks


def test_requests_and_runs_are_counted_and_a_failure_is_one(api: Api) -> None:
    for status in (200, 200, 404, 500, 503):
        api.pages.site("blog").count(status, 1, 1, False)
    calls = CallLog()
    for error in ("", "it broke", "it broke"):
        report = Report("1", "shop", "job", "build", "")
        report.error = error
        calls.report(report)
        if error:
            report = Report("2", "blog", "http", "hello", "GET")
            report.error = error
            calls.report(report)
    assert served(api.pages, calls) == {"blog": Served(5, 2), "shop": Served(3, 2)}


def test_a_setting_about_notifications_counts_at_once(api: Api) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/x"
    api.ask("POST", "/api/notifications", {"name": "phone", "kind": "ntfy", "url": url})

    def error() -> str:
        told: str = api.ask("POST", "/api/notifications/phone/test").json["error"]
        return told

    assert "notifications_private" in error()
    assert api.ask("PUT", "/api/settings/notifications_private", {"value": "127.0.0.0/8, ::1"}).status == 200
    assert "could not be fetched" in error()
    refused = api.ask("PUT", "/api/settings/notifications_private", {"value": "home"})
    assert (refused.status, len(read_networks(" 10.0.0.0/8,, fd00::/8 "))) == (400, 2)
    api.ask("PATCH", "/api/notifications/phone", {"url": "http://127.0.0.1:25/"})
    assert "notifications_private" not in error()  # a port of mail: no network opens that
