"""Outgoing HTTP: what may be reached, over which connections, and how answers come (threats T42, T43)."""

import asyncio
import datetime
import gzip
import ipaddress
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import brotli
import pytest
import uvloop
import zstandard
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from scripted_origin import Origin, Visit, answer, message

from fazt.errors import FaztError, FetchFailed, FetchLimit, FetchRefused, FetchTimeout, InvalidInput
from fazt.outbound import connections as outbound_connections
from fazt.outbound.client import Limits, Outbound, Request, Response

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


class Names:
    """A resolver of the test's own: each look-up of a name takes its next answer; the last one stays."""

    def __init__(self, **names: list[list[str]]) -> None:
        self.names = {name.replace("_", "."): answers for name, answers in names.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        answers = self.names.get(host, [["127.0.0.1"]] if host.endswith(".test") else [])
        if not answers:
            raise OSError("no such name")
        return answers.pop(0) if len(answers) > 1 else answers[0]


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    uvloop.run(asyncio.wait_for(scenario(), 30))


def try_out(
    body: Callable[[Outbound, Origin], Awaitable[None]],
    origin: Origin | None = None,
    allowed: Any = LOOPBACK,
    **options: Any,
) -> Origin:
    """Run a test's body with a client and a server on loopback, and close both."""
    made = origin or Origin()

    async def scenario() -> None:
        async with made:
            client = Outbound(allowed_networks=allowed, **({"resolve": Names()} | options))
            try:
                await body(client, made)
            finally:
                await client.close()

    run(scenario)
    return made


async def read_all(response: Response) -> bytes:
    pieces = []
    while piece := await response.read():
        pieces.append(piece)
    return b"".join(pieces)


async def refused(client: Outbound, url: str, **options: Any) -> FaztError:
    with pytest.raises(FaztError) as caught:
        (await client.fetch(Request(url, **options))).close()
    return caught.value


# --- what may be reached ---------------------------------------------------------------------------------------------

SPELLINGS = """
http://127.0.0.1/            http://127.0.0.1:8080/       https://127.0.0.1/           http://127.1/
http://127.0.1/              http://2130706433/           http://0x7f000001/           http://0x7f.0.0.1/
http://0x7F.1/               http://0177.0.0.1/           http://017700000001/         http://0177.0x0.0.01/
http://127.0.0.1./           http://127.000.000.001/      http://127.255.255.254/      http://0/
http://0.0.0.0/              http://0x/                   http://0.0.0.1/              http://00000/
http://10.0.0.1/             http://10.1/                 http://0xa.0.0.1/            http://167772161/
http://172.16.0.1/           http://172.31.255.255/       http://192.168.1.1/          http://192.168.257/
http://3232235777/           http://169.254.169.254/      http://169.254.43518/        http://2852039166/
http://0xA9FEA9FE/           http://0251.0376.0251.0376/  http://169.254.170.2/        http://100.100.100.200/
http://100.64.0.1/           http://100.127.255.255/      http://168.63.129.16/        http://192.0.0.192/
http://192.0.0.8/            http://192.0.2.1/            http://198.18.0.1/           http://198.19.255.255/
http://198.51.100.7/         http://203.0.113.9/          http://192.88.99.1/          http://224.0.0.1/
http://239.255.255.250/      http://240.0.0.1/            http://255.255.255.255/      http://4294967295/
http://[::]/                 http://[::1]/                http://[0:0:0:0:0:0:0:1]/    http://[0000::0001]/
http://[::ffff:127.0.0.1]/   http://[::ffff:7f00:1]/      http://[::FFFF:10.0.0.1]/    http://[::ffff:a9fe:a9fe]/
http://[0:0:0:0:0:ffff:127.0.0.1]/  http://[::127.0.0.1]/ http://[::ffff:0:127.0.0.1]/ http://[64:ff9b::127.0.0.1]/
http://[64:ff9b::a9fe:a9fe]/ http://[64:ff9b::0a00:1]/    http://[64:ff9b:1::1]/       http://[2002:7f00:1::]/
http://[2002:a9fe:a9fe::1]/  http://[2002:c0a8:101::1]/   http://[2001::1]/            http://[2001:0:7f00:1::]/
http://[2001:10::1]/         http://[2001:db8::1]/        http://[3fff::1]/            http://[fe80::1]/
http://[febf::1]/            http://[fc00::1]/            http://[fd00:ec2::254]/      http://[fd12:3456::1]/
http://[fec0::1]/            http://[ff02::1]/            http://[ff0e::1]/            http://[100::1]/
http://[5f00::1]/            http://[4000::1]/            http://[e000::1]/            http://[fd20:ce::254]/
http://[fe80::1%eth0]/       http://[fe80::1%25eth0]/     http://[::1%25lo]/           http://[::1]:80/
http://１２７.０.０.１/       http://127。0。0。1/          http://127｡0｡0｡1/            http://①②⑦.⓪.⓪.①/
http://0ⅹ7f.1/               http://１0.0.0.1/             http://𝟏𝟐𝟕.𝟎.𝟎.𝟏/            http://%31%32%37.0.0.1/
http://127%2E0%2E0%2E1/      http:127.0.0.1/              http:/127.0.0.1/             http:///127.0.0.1/
http:\\\\127.0.0.1\\         http:/\\127.0.0.1/           HTTP://127.0.0.1/            hTTp://0X7F.0X0.0X0.0X1/
http://127.0.0.1\\@a.test/   http://127.0.0.1#@a.test/    http://127.0.0.1?@a.test/    http://a.test@127.0.0.1/
http://a.test:80@127.0.0.1/  http://@127.0.0.1/           http://:@127.0.0.1/          http://user:pass@a.test/
http://user@a.test/          http://a.test%40127.0.0.1/   http://a.test%00.127.0.0.1/  http://127.0.0.1%00.a.test/
http://a.test%2f127.0.0.1/   http://256.256.256.256/      http://1.2.3.4.5/            http://127.0.0.1.5/
http://0x100000000/          http://08.0.0.1/             http://1.2.3/                http://[::1].a.test/
http://[1.2.3.4]/            http://[v1.x]/               http://[::1/                 http://::1/
file:///etc/passwd           ftp://a.test/                gopher://a.test/             data:text/plain,hi
blob:http://a.test/1         javascript:1                 about:blank                  ws://a.test/
unix:///run/fazt.sock        //127.0.0.1/                 127.0.0.1                    /etc/passwd
http://                      http:                        http://:80/                  https://?
http://a.test:22/            http://a.test:25/            http://a.test:6667/          http://a.test:0/
http://a.test:65536/         http://a.test:-1/            http://a.test:8o/            http://a.test:10080/
http://-a.test/              http://a-.test/              http://a..test/              http://a.test../
http://.a.test/              http://./                    http://a!b.test/             http://a'b.test/
""".split()
SPELLINGS += [
    "http://127.0.0.1\t/",
    "http://127.0\n.0.1/",
    "ht\r\ntp://127.0.0.1/",
    " \x00http://127.0.0.1/ ",
    "http://127.0.0.1\x00.a.test/",
    "http://a b.test/",
    "http://a.test /",
    "http://127.0.0\u00ad.1/",  # a soft hyphen is nothing to IDNA
    "http://127.0.0\u200b.1/",
    "http://\ud800.test/",
    f"http://{'a' * 64}.test/",
    f"http://{'a.' * 130}test/",
    "http://a.test/" + "x" * 20_000,
    "",
]


def test_odd_spellings_of_what_may_not_be_reached_are_refused_before_anything_is_looked_up() -> None:
    names = Names()

    async def body(client: Outbound, origin: Origin) -> None:
        for url in SPELLINGS:
            if url == "http://1.2.3/":  # the public address 1.2.0.3, in the short form
                continue
            error = await refused(client, url)
            assert isinstance(error, FetchRefused | InvalidInput), (url, error)

    origin = try_out(body, allowed=(), resolve=names)
    assert len(SPELLINGS) > 150
    assert names.asked == []
    assert origin.connections == 0


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["::1"],
        ["fe80::1%eth0"],
        ["2606:4700::1111%1"],
        ["::ffff:192.168.0.1"],
        ["64:ff9b::7f00:1"],
        ["93.184.215.14", "127.0.0.1"],
        ["10.0.0.1", "93.184.215.14"],
        ["93.184.215.14", "2606:4700::1111", "fd00::1"],
        ["127.0.0.1\x00"],
        ["localhost"],
        [""],
    ],
)
def test_a_name_with_one_bad_address_is_refused_and_the_address_is_not_told(addresses: list[str]) -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        error = await refused(client, origin.url(host="inside.test"))
        assert isinstance(error, FetchRefused)
        assert error.message.startswith("fetch may not reach inside.test: it leads to ")
        assert not any(address and address in error.message for address in addresses)

    origin = try_out(body, allowed=(), resolve=Names(inside_test=[addresses]))
    assert origin.connections == 0


def test_the_reason_for_an_address_is_told_where_the_script_wrote_it() -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        error = await refused(client, "http://0x7f.1:3000/")
        assert (error.code, error.message) == (
            "fetch_refused",
            "fetch may not reach 127.0.0.1: it is a loopback address.",
        )

    try_out(body, allowed=())


def test_what_the_owner_opened_is_reached_and_nothing_else() -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        response = await client.fetch(Request(f"http://127.1:{origin.port}/"))
        assert response.url == f"http://127.0.0.1:{origin.port}/"
        assert await read_all(response) == b"hello"
        for url in ("http://10.0.0.1/", "http://[::ffff:10.0.0.1]/", "http://169.254.169.254/", "http://0.0.0.0/"):
            assert isinstance(await refused(client, url), FetchRefused)

    try_out(body, Origin({"/": answer(b"hello")}))


def test_metadata_stays_refused_in_an_opened_network() -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        assert "metadata" in (await refused(client, "http://169.254.169.254/latest/meta-data/")).message
        assert "metadata" in (await refused(client, "http://[::ffff:169.254.169.254]/")).message

    try_out(body, allowed=(ipaddress.ip_network("169.254.0.0/16"),))


def test_a_name_is_looked_up_once_for_each_connection_so_that_rebinding_gains_nothing() -> None:
    names = Names(rebind_test=[["127.0.0.1"], ["10.0.0.1"]])

    async def body(client: Outbound, origin: Origin) -> None:
        request = Request(origin.url(host="rebind.test"))
        assert await read_all(await client.fetch(request)) == b"first"
        assert await read_all(await client.fetch(request)) == b"first"  # over the same connection: nothing to look up
        assert names.asked == ["rebind.test"]
        origin.routes["/"] = answer(b"last", Connection="close")
        assert await read_all(await client.fetch(request)) == b"last"
        assert isinstance(await refused(client, request.url), FetchRefused)
        assert names.asked == ["rebind.test"] * 2

    origin = try_out(body, Origin({"/": answer(b"first")}), resolve=names)
    assert origin.connections == 1


def test_the_address_is_checked_once_more_when_the_socket_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the first check passed over, the second one would still hold."""
    real, asked = outbound_connections.refusal, []

    def forgetful(address: str, allowed: Any = ()) -> str | None:
        asked.append(address)
        return None if len(asked) == 1 else real(address, allowed)

    monkeypatch.setattr(outbound_connections, "refusal", forgetful)

    async def body(client: Outbound, origin: Origin) -> None:
        assert isinstance(await refused(client, origin.url()), FetchFailed)

    assert try_out(body, allowed=()).connections == 0
    assert asked == ["127.0.0.1", "127.0.0.1"]


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("http://10.0.0.1/", FetchRefused),
        ("http://0x7f.2/", FetchRefused),
        ("//169.254.169.254/latest/", FetchRefused),
        ("http://inside.test/", FetchRefused),
        ("http://[::1]:{port}/", FetchRefused),
        ("http://user:pw@origin.test:{port}/", FetchRefused),
        ("http://origin.test:22/", FetchRefused),
        ("file:///etc/passwd", FetchRefused),
        ("http://dashboard.fazt.test/", FetchRefused),
        ("http://unlisted.example/", FetchRefused),
        ("http://exa mple/", InvalidInput),
    ],
)
def test_each_redirect_is_checked_anew(place: str, kind: type[FaztError]) -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        origin.routes["/"] = answer(status="302 Found", Location=place.format(port=origin.port))
        net = ("*.test", "10.0.0.1", "127.0.0.2", "[::1]", "169.254.169.254")
        assert isinstance(await refused(client, origin.url(), net=net), kind)
        assert len(origin.seen) == 1

    try_out(
        body,
        allowed=(ipaddress.ip_network("127.0.0.1/32"),),
        resolve=Names(inside_test=[["192.168.0.1"]]),
        is_forbidden_host=lambda host: host == "dashboard.fazt.test",
    )


def test_a_site_reaches_only_the_hosts_that_it_lists() -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        for host, net, is_listed in (
            ("api.test", ("api.test",), True),
            ("API.test.", ("api.test",), True),
            ("api.test", (f"api.test:{origin.port}",), True),
            ("api.test", ("api.test:1234",), False),
            ("v1.api.test", ("*.api.test",), True),
            ("api.test", ("*.api.test",), False),
            ("evilapi.test", ("*.api.test", "api.test"), False),
            ("api.test", ("*",), True),
            ("api.test", (), False),
            ("127.0.0.1", ("api.test",), False),
        ):
            request = Request(origin.url(host=host), net=net)
            if is_listed:
                assert await read_all(await client.fetch(request)) == b"ok"
            else:
                assert "needs.net" in (await refused(client, request.url, net=net)).message

    try_out(body, Origin({"/": answer(b"ok")}))


# --- this server's own sites -----------------------------------------------------------------------------------------


def own(origin: Origin) -> dict[str, Any]:
    return {
        "is_own_host": lambda host: host == "fazt.test" or host.endswith(".fazt.test"),
        "is_forbidden_host": lambda host: host in ("dashboard.fazt.test", "dav.fazt.test"),
        "own_ports": frozenset((8080,)),
    }


def run_own(body: Callable[[Outbound, Origin], Awaitable[None]], origin: Origin) -> None:
    async def scenario() -> None:
        async with origin:
            options = own(origin) | {"own_address": ("127.0.0.1", origin.port), "resolve": Names()}
            client = Outbound(**options)
            try:
                await body(client, origin)
            finally:
                await client.close()

    run(scenario)


def test_own_sites_are_reached_at_the_own_listener_with_their_depth() -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        headers = (("X-Forwarded-For", "10.0.0.1"), ("Fazt-Loop", "0"), ("Host", "dashboard.fazt.test"))
        for url, host in (
            ("http://blog.fazt.test/api/a?b=c", "blog.fazt.test"),
            ("https://blog.fazt.test/api/a?b=c", "blog.fazt.test"),
            ("http://Blog.Fazt.test.:8080/api/a?b=c", "blog.fazt.test:8080"),
        ):
            response = await client.fetch(Request(url, depth=2, headers=headers))
            assert await read_all(response) == b"own"
            visit = origin.seen[-1]
            assert [value for name, value in visit.headers if name == "Host"] == [host]
            assert [value for name, value in visit.headers if name == "Fazt-Loop"] == ["3"]
            assert visit.header("X-Forwarded-For") is None
            assert visit.target == "/api/a?b=c"

    run_own(body, Origin({"/api/a": answer(b"own")}))


@pytest.mark.parametrize(
    "url",
    [
        "http://dashboard.fazt.test/",
        "http://dashboard.fazt.test./",
        "http://DASHBOARD.fazt.test:8080/api/sites",
        "http://dav.fazt.test/",
        "http://d%61shboard.fazt.test/",
        "http://blog.fazt.test:9999/",
        "http://other.test:8080/",  # the server's own port under a name that is not its own
        "http://127.0.0.1:8080/",
    ],
)
def test_platform_and_own_ports_are_no_way_in(url: str) -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        assert isinstance(await refused(client, url), FetchRefused)
        assert origin.connections == 0

    run_own(body, Origin())


def test_the_own_listener_is_not_reached_by_its_address() -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        await read_all(await client.fetch(Request("http://blog.fazt.test/")))
        assert isinstance(await refused(client, f"http://127.0.0.1:{origin.port}/"), FetchRefused)
        assert isinstance(await refused(client, f"http://somewhere.test:{origin.port}/"), FetchRefused)
        assert len(origin.seen) == 1

    run_own(body, Origin({"/": answer()}))


def test_functions_that_fetch_each_other_are_cut_at_depth_4() -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        async def again(visit: Visit) -> bytes:
            depth = int(visit.header("Fazt-Loop") or 0)
            try:
                response = await client.fetch(Request("http://loop.fazt.test/", depth=depth))
            except FetchRefused as error:
                return message(error.message.encode())
            return message(await read_all(response))

        origin.routes["/"] = again
        text = (await read_all(await client.fetch(Request("http://loop.fazt.test/")))).decode()
        assert text.endswith("4 functions stand behind this one, each fetching the next.")
        assert [visit.header("Fazt-Loop") for visit in origin.seen] == ["1", "2", "3", "4"]

    run_own(body, Origin())


def test_a_redirect_to_an_own_site_carries_the_depth_and_one_away_does_not() -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        origin.routes["/go"] = answer(status="302 Found", Location="http://blog.fazt.test/")
        await read_all(await client.fetch(Request("http://shop.fazt.test/go", depth=1)))
        assert [visit.header("Fazt-Loop") for visit in origin.seen] == ["2", "2"]

    run_own(body, Origin({"/": answer()}))


# --- connections -----------------------------------------------------------------------------------------------------


def test_connections_are_kept_for_one_site_and_never_shared_with_another() -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        for site in ("one", "one", "two", "one", "two"):
            await read_all(await client.fetch(Request(origin.url(), site=site)))
        assert [visit.connection for visit in origin.seen] == [1, 1, 2, 1, 2]
        assert not any(visit.header("Cookie") for visit in origin.seen)

    try_out(body, Origin({"/": answer(b"hi", Set_Cookie="a=b; Path=/")}))


def test_connections_of_sites_that_are_idle_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fazt.outbound.client.MAX_SITES", 2)

    async def body(client: Outbound, origin: Origin) -> None:
        held = await client.fetch(Request(origin.url(), site="held"))
        for site in ("a", "b", "c", "a"):
            await read_all(await client.fetch(Request(origin.url(), site=site)))
        assert len(origin.seen) == 5
        assert origin.connections == 5  # those of "a" were closed meanwhile
        assert await read_all(held) == b"hi"  # these were not

    try_out(body, Origin({"/": answer(b"hi")}))


def test_a_site_that_takes_all_its_places_waits_and_others_do_not() -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        first = await client.fetch(Request(origin.url(), site="greedy"))
        waiting = asyncio.ensure_future(client.fetch(Request(origin.url(), site="greedy")))
        await read_all(await client.fetch(Request(origin.url(), site="other")))
        assert not waiting.done()
        assert await read_all(first) == b"hi"
        assert await read_all(await waiting) == b"hi"

    try_out(body, Origin({"/": answer(b"hi")}), limits=Limits(site_requests=1))


def test_slow_names_of_one_site_do_not_keep_another_from_its_own() -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        stuck = [asyncio.ensure_future(client.fetch(Request("http://slow.test/", site="slow"))) for _ in range(9)]
        while len(asking) < 4:
            await client_turn(client, origin)
        assert len(asking) == 4  # one site holds no more threads than this
        for task in stuck[:4]:
            task.cancel()
        await asyncio.gather(*stuck[:4], return_exceptions=True)
        await client_turn(client, origin)
        assert len(asking) == 4  # nor when it stops waiting while they still run
        gate.set()
        for task in stuck[4:]:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)

    async def client_turn(client: Outbound, origin: Origin) -> None:
        await read_all(await client.fetch(Request(origin.url(), site="quick")))

    asking: list[str] = []
    gate = asyncio.Event()

    async def resolve(host: str, port: int) -> list[str]:
        if host == "slow.test":
            asking.append(host)
            await gate.wait()
        return ["127.0.0.1"]

    try_out(body, Origin({"/": answer(b"hi")}), resolve=resolve)


def test_no_proxy_and_no_password_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine origin.test login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9/")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9/")

    async def body(client: Outbound, origin: Origin) -> None:
        await read_all(await client.fetch(Request(origin.url())))
        assert origin.seen[0].target == "/"
        assert origin.seen[0].header("Authorization") is None

    try_out(body, Origin({"/": answer()}))


def test_ipv6_is_reached_by_address_and_by_name() -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        for host in ("[::1]", "[0:0::0:1]", "six.test"):
            assert await read_all(await client.fetch(Request(origin.url(host=host)))) == b"six"
        assert {visit.header("Host") for visit in origin.seen} == {f"[::1]:{origin.port}", f"six.test:{origin.port}"}

    try_out(body, Origin({"/": answer(b"six")}, host="::1"), resolve=Names(six_test=[["::1"]]))


def test_the_next_address_of_a_name_is_tried() -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        assert await read_all(await client.fetch(Request(origin.url()))) == b"hi"

    try_out(body, Origin({"/": answer(b"hi")}), resolve=Names(origin_test=[["127.0.0.2", "::1", "127.0.0.1"]]))


def test_the_systems_resolver_is_asked_on_a_thread() -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        assert await read_all(await client.fetch(Request(origin.url(host="localhost")))) == b"hi"

    try_out(body, Origin({"/": answer(b"hi")}), resolve=None)


def make_tls(folder: Path, *names: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the contexts of a server that has a certificate for these names and of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "both.pem").write_bytes(private + pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "both.pem")
    return server, ssl.create_default_context(cadata=pem.decode())


def test_tls_is_verified_against_the_name(tmp_path: Path) -> None:
    server, client_tls = make_tls(tmp_path, "secure.test")

    async def body(client: Outbound, origin: Origin) -> None:
        url = origin.url(host="secure.test", scheme="https")
        assert await read_all(await client.fetch(Request(url))) == b"safe"
        error = await refused(client, origin.url(host="other.test", scheme="https"))
        assert isinstance(error, FetchFailed)
        assert "certificate" in error.message

    try_out(body, Origin({"/": answer(b"safe")}, tls=server), tls=client_tls)


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    server, _ = make_tls(tmp_path, "secure.test")

    async def body(client: Outbound, origin: Origin) -> None:
        error = await refused(client, origin.url(host="secure.test", scheme="https"))
        assert "certificate" in error.message
        assert isinstance(await refused(client, origin.url(host="secure.test")), FetchFailed)  # http to a TLS port

    try_out(body, Origin(tls=server))


# --- requests --------------------------------------------------------------------------------------------------------


def test_headers_that_are_not_a_scripts_to_set_are_dropped() -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        headers = (
            ("Host", "evil.test"),
            ("Content-Length", "999"),
            ("Transfer-Encoding", "chunked"),
            ("Connection", "close, X-Hop"),
            ("Keep-Alive", "x"),
            ("Upgrade", "websocket"),
            ("TE", "trailers"),
            ("Trailer", "x"),
            ("Expect", "100-continue"),
            ("Proxy-Authorization", "x"),
            ("Fazt-Loop", "0"),
            ("X-Hop", "1"),
            ("X-Mine", " two words\t"),
            ("X-Mine", "again"),
            ("Cookie", "a=b"),
            ("X-Utf8", "gr\u00c3\u00bc\u00c3\u009fe"),  # UTF-8 as a byte string
        )
        await read_all(await client.fetch(Request(origin.url("/p"), "POST", headers=headers, body=b"abc")))
        visit = origin.seen[0]
        assert sorted((name.lower(), value) for name, value in visit.headers) == [
            ("accept", "*/*"),
            ("accept-encoding", "gzip, deflate, br, zstd"),
            ("content-length", "3"),
            ("cookie", "a=b"),
            ("host", f"origin.test:{origin.port}"),
            ("user-agent", "Fazt"),
            ("x-mine", "again"),
            ("x-mine", "two words"),
            ("x-utf8", "gr\u00c3\u00bc\u00c3\u009fe"),
        ]
        assert visit.body == b"abc"

    try_out(body, Origin({"/p": answer()}))


@pytest.mark.parametrize(
    "options",
    [
        {"method": "CONNECT"},
        {"method": "trace"},
        {"method": "TRACK"},
        {"method": "GET /x HTTP/1.1\r\nA: b"},
        {"method": ""},
        {"method": "GET", "body": b"x"},
        {"method": "head", "body": b"x"},
        {"headers": (("a b", "c"),)},
        {"headers": (("", "c"),)},
        {"headers": (("a\r\nb", "c"),)},
        {"headers": (("a", "c\r\nd: e"),)},
        {"headers": (("a", "c\nd"),)},
        {"headers": (("a", "c\0d"),)},
        {"headers": (("a", "\u4e2d"),)},
        {"headers": (("a", "caf\u00e9"),)},
        {"headers": (("a", "\ud800"),)},
        {"headers": (("a", "x" * 70_000),)},
        {"headers": (("a", "x"),) * 200},
    ],
)
def test_requests_that_are_not_sound_are_never_sent(options: dict[str, Any]) -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        assert isinstance(await refused(client, origin.url(), **options), InvalidInput | FetchRefused)

    assert try_out(body).connections == 0


def test_targets_are_sent_as_the_url_standard_writes_them() -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        for path, sent in (
            ("/a/../b/./c", "/b/c"),
            ("/%2e%2E/x", "/x"),
            ("\\a\\b", "/a/b"),
            ("/a b\"<>`é?q='é ö'#frag", "/a%20b%22%3C%3E%60%C3%A9?q=%27%C3%A9%20%C3%B6%27"),
            ("//x//y", "//x//y"),
            ("?q=a+b%2Bc&d=%zz", "/?q=a+b%2Bc&d=%zz"),
            ("/a%2Fb;c=d,e:@!$&()*|[]", "/a%2Fb;c=d,e:@!$&()*|[]"),
            ("/\r\nX: y", "/X:%20y"),
        ):
            response = await client.fetch(Request(f"http://origin.test:{origin.port}{path}"))
            response.close()
            assert origin.seen[-1].target == sent

    try_out(body)


def test_empty_and_large_bodies_and_methods() -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        for method, data, length in (
            ("post", b"", "0"),
            ("POST", None, "0"),
            ("PUT", bytes(3_000_000), "3000000"),
            ("patch", b"x", "1"),
            ("DELETE", None, None),
            ("options", None, None),
        ):
            response = await client.fetch(Request(origin.url("/p"), method, body=data))
            await read_all(response)
            visit = origin.seen[-1]
            assert visit.method == {"patch": "PATCH"}.get(method, method.upper())
            assert visit.body == (data or b"")
            if length is not None:
                assert visit.header("Content-Length") == length
        response = await client.fetch(Request(origin.url("/p"), "HEAD"))
        assert (response.status, await read_all(response)) == (200, b"")

    async def handle(visit: Visit) -> bytes:
        await visit.read_body()
        if visit.method == "HEAD":
            return b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\nContent-Encoding: gzip\r\n\r\n"
        return message(b"ok")

    try_out(body, Origin({"/p": handle}))


async def pieces_of(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


# --- redirects -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "method", "then", "keeps_body"),
    [
        (301, "POST", "GET", False),
        (302, "POST", "GET", False),
        (303, "POST", "GET", False),
        (303, "PUT", "GET", False),
        (301, "PUT", "PUT", True),
        (302, "DELETE", "DELETE", True),
        (307, "POST", "POST", True),
        (308, "PUT", "PUT", True),
        (303, "HEAD", "HEAD", False),
        (301, "GET", "GET", False),
    ],
)
def test_redirects_change_method_and_body_as_the_standard_says(
    status: int, method: str, then: str, keeps_body: bool
) -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        origin.routes["/from"] = answer(status=f"{status} Go", Location="to?x=1")
        data = None if method in ("GET", "HEAD") else b"data"
        headers = (("Content-Type", "text/plain"), ("X-Kept", "1"), ("Authorization", "secret"))
        response = await client.fetch(Request(origin.url("/from#f"), method, headers=headers, body=data))
        await read_all(response)
        assert (response.status, response.redirected, response.url) == (200, True, origin.url("/to?x=1"))
        visit = origin.seen[1]
        assert (visit.method, visit.body) == (then, b"data" if keeps_body else b"")
        assert (visit.header("Content-Type") is not None) == (keeps_body or data is None)
        assert visit.header("X-Kept") == "1"
        assert visit.header("Authorization") == "secret"  # the same origin

    async def to(visit: Visit) -> bytes:
        await visit.read_body()
        return message()

    try_out(body, Origin({"/to": to}))


def test_secrets_do_not_cross_origins() -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        origin.routes["/from"] = answer(status="307 Go", Location=origin.url("/to", host="other.test"))
        headers = (("Authorization", "secret"), ("Cookie", "a=b"), ("X-Kept", "1"))
        await read_all(await client.fetch(Request(origin.url("/from"), headers=headers)))
        visit = origin.seen[1]
        assert (visit.header("Authorization"), visit.header("Cookie"), visit.header("X-Kept")) == (None, None, "1")

    try_out(body, Origin({"/to": answer()}))


def test_redirects_by_hand_as_an_error_and_without_end() -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        origin.routes["/go"] = answer(b"moved", "302 Found", Location="http://10.0.0.1/")
        response = await client.fetch(Request(origin.url("/go"), redirect="manual"))
        assert (response.status, response.redirected) == (302, False)
        assert ("location", "http://10.0.0.1/") in response.headers
        assert await read_all(response) == b"moved"
        origin.routes["/go"] = answer(status="302 Found", Location="/go")
        assert isinstance(await refused(client, origin.url("/go"), redirect="error"), FetchFailed)
        origin.seen.clear()
        assert "20 redirects" in (await refused(client, origin.url("/go"))).message
        assert len(origin.seen) == 21
        origin.routes["/go"] = answer(b"where?", "302 Found")
        assert await read_all(await client.fetch(Request(origin.url("/go")))) == b"where?"

    try_out(body)


def test_a_streamed_body_is_sent_once_only() -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        for status in (301, 307, 308):
            origin.routes["/go"] = answer(status=f"{status} Go", Location="/to")
            error = await refused(client, origin.url("/go"), method="PUT", body=pieces_of(b"ab", b"c"))
            assert "cannot be sent twice" in error.message
        origin.routes["/go"] = answer(status="303 See Other", Location="/to")
        response = await client.fetch(Request(origin.url("/go"), "PUT", body=pieces_of(b"ab", b"c")))
        assert await read_all(response) == b"there"
        assert [visit.body for visit in origin.seen] == [b"abc"] * 4 + [b""]

    try_out(body, Origin({"/to": answer(b"there")}))


# --- answers ---------------------------------------------------------------------------------------------------------

TEXT = b"What is known is not what is true. " * 20_000
ENCODED = {
    "gzip": gzip.compress(TEXT),
    "x-gzip": gzip.compress(TEXT),
    "GZip": gzip.compress(TEXT[:1000]) + gzip.compress(TEXT[1000:]),
    "deflate": zlib.compress(TEXT),
    "deflate ": zlib.compress(TEXT)[2:-4],
    "br": brotli.compress(TEXT),
    "zstd": zstandard.compress(TEXT),
    "zstd ": zstandard.compress(TEXT[:1000]) + zstandard.compress(TEXT[1000:]),
    "gzip, br": brotli.compress(gzip.compress(TEXT)),
    "identity": TEXT,
}


@pytest.mark.parametrize("coding", ENCODED)
def test_bodies_are_inflated(coding: str) -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        response = await client.fetch(Request(origin.url()))
        assert await read_all(response) == TEXT
        names = [name for name, _ in response.headers]
        assert ("content-encoding" in names, "content-length" in names) == ((coding == "identity",) * 2)

    try_out(body, Origin({"/": answer(ENCODED[coding], Content_Encoding=coding)}))


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_bodies_that_break_off_or_are_something_else_fail(coding: str) -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        for data in (ENCODED[coding][:-3], b"this is not compressed at all"):
            origin.routes["/"] = answer(data, Content_Encoding=coding)
            response = await client.fetch(Request(origin.url()))
            with pytest.raises(FetchFailed, match="Content-Encoding"):
                await read_all(response)
        origin.routes["/"] = answer(b"", Content_Encoding=coding)
        assert await read_all(await client.fetch(Request(origin.url()))) == b""

    try_out(body)


def test_codings_that_nobody_knows_stay_as_they_are() -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        response = await client.fetch(Request(origin.url()))
        assert await read_all(response) == b"data"
        assert ("content-encoding", "x-own, gzip") in response.headers

    try_out(body, Origin({"/": answer(b"data", Content_Encoding="x-own, gzip")}))


class Counter:
    """A budget of a test's own."""

    def __init__(self, most: int) -> None:
        self.most, self.requests, self.bytes = most, 0, 0

    def request(self) -> None:
        self.requests += 1

    def received(self, size: int) -> None:
        self.bytes += size
        if self.bytes > self.most:
            raise FetchLimit("enough")


def endless_gzip() -> bytes:
    return b"".join(gzip.compress(b"") for _ in range(100_000))


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("gzip", gzip.compress(bytes(50_000_000), 9)),
        ("br", brotli.compress(bytes(50_000_000), quality=5)),
        ("zstd", zstandard.compress(bytes(50_000_000))),
        ("deflate", zlib.compress(bytes(50_000_000))),
        ("gzip, gzip", gzip.compress(gzip.compress(bytes(50_000_000), 9), 9)),
        ("br, gzip", gzip.compress(brotli.compress(bytes(50_000_000), quality=5))),
        ("gzip", endless_gzip()),  # 2 MB that inflate to nothing at all
    ],
)
def test_bombs_are_cut_by_what_they_inflate_to(coding: str, data: bytes) -> None:
    counter = Counter(1_000_000)

    async def body(client: Outbound, origin: Origin) -> None:
        response = await client.fetch(Request(origin.url()), counter)
        with pytest.raises(FetchLimit):
            await read_all(response)
        assert counter.bytes <= 1_000_000 + 512 * 1024  # what one turn of the loop may read

    try_out(body, Origin({"/": answer(data, Content_Encoding=coding)}))


def test_each_redirect_is_counted() -> None:
    counter = Counter(10)

    async def body(client: Outbound, origin: Origin) -> None:
        origin.routes["/go"] = answer(status="302 Found", Location="/")
        assert await read_all(await client.fetch(Request(origin.url("/go")), counter)) == b"0123456789"
        assert (counter.requests, counter.bytes) == (2, 10)

    try_out(body, Origin({"/": answer(b"0123456789")}))


async def garbage(visit: Visit) -> bytes | None:
    visit.writer.write(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    return None


async def nothing(visit: Visit) -> bytes | None:
    return None


async def half(visit: Visit) -> bytes | None:
    visit.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    await visit.writer.drain()
    visit.writer.write_eof()
    await visit.reader.read()
    return None


async def huge_head(visit: Visit) -> bytes | None:
    return b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"x" * 4000) for n in range(100)) + b"\r\n"


async def endless_head(visit: Visit) -> bytes | None:
    visit.writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        visit.writer.write(b"X-More: more\r\n" * 1000)
        await visit.writer.drain()


async def long_line(visit: Visit) -> bytes | None:
    visit.writer.write(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        visit.writer.write(b"x" * 100_000)
        await visit.writer.drain()


async def switching(visit: Visit) -> bytes | None:
    return b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


@pytest.mark.parametrize("handler", [garbage, nothing, huge_head, endless_head, long_line, switching])
def test_servers_that_do_not_speak_http_fail(handler: Any) -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        assert isinstance(await refused(client, origin.url()), FetchFailed | FetchLimit)

    try_out(body, Origin({"/": handler}))


def test_a_body_that_breaks_off_fails_while_it_is_read() -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        response = await client.fetch(Request(origin.url()))
        with pytest.raises(FetchFailed, match="breaks off"):
            await read_all(response)
        assert await response.read() == b""  # closed

    try_out(body, Origin({"/": half}))


def test_early_hints_are_passed_over_and_odd_heads_are_understood() -> None:
    async def odd(visit: Visit) -> bytes:
        hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 3
        head = b"HTTP/1.1 299 \xe4h\r\nX-Bytes: \xe4\xff\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
        return hints + head + b"Content-Length: 0\r\n\r\n"

    async def body(client: Outbound, origin: Origin) -> None:
        response = await client.fetch(Request(origin.url()))
        assert (response.status, response.reason) == (299, "\u00e4h")
        assert [pair for pair in response.headers if pair[0] != "content-length"] == [
            ("x-bytes", "\u00e4\u00ff"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
        ]
        assert await read_all(response) == b""

    try_out(body, Origin({"/": odd}))


def test_who_cannot_be_found_or_reached() -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        closed = Origin()
        async with closed:
            pass
        error = await refused(client, closed.url())
        assert (error.code, "Connection refused" in error.message) == ("fetch_failed", True)
        assert "127.0.0.1" not in error.message
        assert "has no address" in (await refused(client, "http://nowhere.invalid/")).message

    try_out(body)


# --- time ------------------------------------------------------------------------------------------------------------


async def silent(visit: Visit) -> bytes | None:
    await visit.reader.read()  # until the client goes
    return None


async def stuck(visit: Visit) -> bytes | None:
    visit.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    await visit.reader.read()
    return None


def test_an_answer_that_does_not_come_ends_at_the_limit() -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        assert isinstance(await refused(client, origin.url("/silent")), FetchTimeout)
        response = await client.fetch(Request(origin.url("/stuck")))
        assert await response.read() == b"half"
        with pytest.raises(FetchTimeout):
            await response.read()

    try_out(body, Origin({"/silent": silent, "/stuck": stuck}), limits=Limits(total_s=0.3))


def test_a_name_that_is_not_found_in_time() -> None:
    async def never(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    async def body(client: Outbound, origin: Origin) -> None:
        assert isinstance(await refused(client, origin.url()), FetchTimeout)

    try_out(body, resolve=never, limits=Limits(connect_s=0.05))


def test_a_request_that_is_given_up_closes_its_connection() -> None:
    gone = asyncio.Event()
    came = asyncio.Event()

    async def handle(visit: Visit) -> bytes | None:
        came.set()
        await visit.reader.read()
        gone.set()
        return None

    async def body(client: Outbound, origin: Origin) -> None:
        task = asyncio.ensure_future(client.fetch(Request(origin.url())))
        await came.wait()
        task.cancel()
        await gone.wait()
        with pytest.raises(asyncio.CancelledError):
            await task
        gone.clear()
        response = await client.fetch(Request(origin.url("/stuck")))
        response.close()
        await left.wait()

    left = asyncio.Event()

    async def stuck_until(visit: Visit) -> bytes | None:
        await stuck(visit)
        left.set()
        return None

    try_out(body, Origin({"/": handle, "/stuck": stuck_until}))


# --- streams ---------------------------------------------------------------------------------------------------------


def test_an_answer_comes_as_it_is_written_and_waits_for_who_reads() -> None:
    sent = 0
    is_full = asyncio.Event()
    total = 64 * 1024 * 1024

    async def flood(visit: Visit) -> bytes | None:
        nonlocal sent
        visit.writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {total}\r\n\r\n".encode())
        while sent < total:
            visit.writer.write(bytes(65_536))
            sent += 65_536
            if visit.writer.transport.get_write_buffer_size() > 0:
                is_full.set()
            await visit.writer.drain()
        return b""

    async def body(client: Outbound, origin: Origin) -> None:
        response = await client.fetch(Request(origin.url("/flood")))
        await is_full.wait()
        for _ in range(50):  # in this time the rest would have come, were it taken
            await read_all(await client.fetch(Request(origin.url("/ping"))))
        assert sent < total / 2
        read = 0
        while piece := await response.read():
            assert len(piece) <= 65_536
            read += len(piece)
        assert read == total

    try_out(body, Origin({"/flood": flood, "/ping": answer()}))


def test_a_body_is_sent_as_it_is_made_while_the_answer_comes() -> None:
    async def echo(visit: Visit) -> bytes | None:
        visit.writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while size := int(await visit.reader.readline(), 16):
            data = await visit.reader.readexactly(size + 2)
            visit.writer.write(b"%x\r\n%s" % (size, data))
        visit.writer.write(b"0\r\n\r\n")
        await visit.reader.readexactly(2)
        return b""

    async def body(client: Outbound, origin: Origin) -> None:
        words: asyncio.Queue[bytes] = asyncio.Queue()

        async def pieces() -> AsyncIterator[bytes]:
            while word := await words.get():
                yield word

        words.put_nowait(b"one")
        response = await client.fetch(Request(origin.url(), "POST", body=pieces()))
        assert await response.read() == b"one"
        for word in (b"two", b"three"):
            words.put_nowait(word)
            assert await response.read() == word
        words.put_nowait(b"")
        assert await response.read() == b""
        assert origin.seen[0].header("Transfer-Encoding") == "chunked"

    try_out(body, Origin({"/": echo}))


def test_a_client_that_is_closed_refuses_and_cuts_what_is_under_way() -> None:
    async def body(client: Outbound, origin: Origin) -> None:
        response = await client.fetch(Request(origin.url()))
        assert await response.read() == b"half"
        await client.close()
        with pytest.raises(FetchFailed):
            await response.read()
        assert "stopping" in (await refused(client, origin.url())).message

    try_out(body, Origin({"/": stuck}))
