"""User agents of real browsers and programs, and whatever else may come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fazt.visits.agents import BROWSERS, DEVICES, OTHER, SYSTEMS, read_agent

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
MAC = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
AGENTS = {
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/131.0.0.0 Safari/537.36": "Chrome Windows Desktop",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0": (
        "Edge Windows Desktop"
    ),
    f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} Chrome/131.0.0.0 Safari/537.36 OPR/116.0.0.0": "Opera Linux Desktop",
    f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/131.0.0.0 Safari/537.36": "Chrome ChromeOS Desktop",
    f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/131.0.0.0 Mobile Safari/537.36": "Chrome Android Phone",
    f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/131.0.0.0 Safari/537.36": "Chrome Android Tablet",
    f"Mozilla/5.0 (Linux; Android 9; CUBOT) {WEBKIT} Chrome/131.0.0.0 Mobile Safari/537.36": "Chrome Android Phone",
    f"Mozilla/5.0 (Linux; Android 14; SM-S918B) {WEBKIT} SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36": (
        "Samsung Internet Android Phone"
    ),
    "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0": "Firefox Linux Desktop",
    "Mozilla/5.0 (Android 14; Mobile; rv:132.0) Gecko/132.0 Firefox/132.0": "Firefox Android Phone",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {MAC} Version/18.1 Safari/605.1.15": ("Safari macOS Desktop"),
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 "
    "Mobile/15E148 Safari/604.1": "Safari iOS Phone",
    "Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/131.0 Mobile/15E148 "
    "Safari/604.1": "Chrome iPadOS Tablet",
    "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko": "Internet Explorer Windows Desktop",
    f"Mozilla/5.0 (SMART-TV; LINUX; Tizen 7.0) {WEBKIT} Version/7.0 TV Safari/537.36": "Safari Tizen TV",
}
BOTS = [
    "",
    "curl/8.10.1",
    "Wget/1.21",
    "python-requests/2.32",
    "Go-http-client/1.1",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    f"Mozilla/5.0 (Linux; Android 6) {WEBKIT} Chrome/131.0.0.0 Mobile Safari/537.36 (compatible; Googlebot)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} HeadlessChrome/131.0.0.0 Safari/537.36",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "Slackbot-LinkExpanding 1.0",
    "Mozilla/5.0",
    "nonsense",
]


@pytest.mark.parametrize(("agent", "said"), AGENTS.items())
def test_browsers(agent: str, said: str) -> None:
    found = read_agent(agent)
    assert f"{found.browser} {found.system} {found.device}" == said
    assert not found.bot


@pytest.mark.parametrize("agent", BOTS)
def test_programs(agent: str) -> None:
    assert read_agent(agent).bot


@given(st.text(max_size=300))
def test_only_names_of_the_table_come_out(agent: str) -> None:
    found = read_agent(agent)
    assert found.browser in {name for _, name in BROWSERS} | {OTHER}
    assert found.system in {name for _, name in SYSTEMS} | {OTHER}
    assert found.device in {name for _, name in DEVICES} | {OTHER}
