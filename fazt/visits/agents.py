"""User-Agent -> browser, system, device, or a program that is none.

A small table of tokens; the first that is found counts, so that what pretends to be something else stands above it.
Rule: what comes out is a name of this table, never what a visitor sent.
"""

from functools import lru_cache
from typing import Final, NamedTuple

OTHER = "Other"
KEPT = 1024  # agents whose reading is remembered; each takes some hundred bytes


class Agent(NamedTuple):
    """What a User-Agent says of who asks."""

    browser: str
    system: str
    device: str
    bot: bool


Table = tuple[tuple[str, str], ...]

# What names itself as a program, in lower case: crawlers, previews of links, monitors, libraries
BOTS: Final = (
    "bot", "crawl", "spider", "slurp", "scrap", "fetch", "preview", "monitor", "uptime", "pingdom", "check", "scan",
    "headless", "phantom", "selenium", "puppeteer", "playwright", "lighthouse", "pagespeed", "facebookexternalhit",
    "facebookcatalog", "whatsapp", "skypeuripreview", "mediapartners", "google-", "googleother", "feedly", "rss",
    "feed", "archive", "validator", "curl/", "wget", "httpie", "python", "aiohttp", "httpx", "go-http", "java/",
    "okhttp", "apache-http", "axios", "node", "undici", "ruby", "perl", "libwww", "php", "guzzle", "dart", "postman",
    "insomnia", "nmap", "zgrab", "masscan", "nikto", "sqlmap", "gptbot", "chatgpt", "claude", "perplexity", "http://",
    "https://",
)  # fmt: skip
BROWSERS: Final[Table] = (
    ("edg/", "Edge"),
    ("edga/", "Edge"),
    ("edgios/", "Edge"),
    ("edge/", "Edge"),
    ("opr/", "Opera"),
    ("opt/", "Opera"),
    ("opera", "Opera"),
    ("vivaldi", "Vivaldi"),
    ("yabrowser", "Yandex"),
    ("samsungbrowser", "Samsung Internet"),
    ("ucbrowser", "UC Browser"),
    ("duckduckgo", "DuckDuckGo"),
    ("ddg/", "DuckDuckGo"),
    ("fban/", "Facebook"),
    ("fbav/", "Facebook"),
    ("instagram", "Instagram"),
    ("firefox/", "Firefox"),
    ("fxios/", "Firefox"),
    ("crios/", "Chrome"),
    ("chromium", "Chromium"),
    ("chrome/", "Chrome"),
    ("trident/", "Internet Explorer"),
    ("msie ", "Internet Explorer"),
    ("version/", "Safari"),
    ("safari/", "Safari"),
)
SYSTEMS: Final[Table] = (
    ("windows phone", "Windows Phone"),
    ("windows", "Windows"),
    ("iphone", "iOS"),
    ("ipod", "iOS"),
    ("ipad", "iPadOS"),
    ("android", "Android"),
    ("harmonyos", "HarmonyOS"),
    ("kaios", "KaiOS"),
    ("tizen", "Tizen"),
    ("web0s", "webOS"),
    ("webos", "webOS"),
    ("cros ", "ChromeOS"),
    ("mac os x", "macOS"),
    ("macintosh", "macOS"),
    ("freebsd", "BSD"),
    ("openbsd", "BSD"),
    ("linux", "Linux"),
    ("x11", "Linux"),
)
DEVICES: Final[Table] = (
    ("smart-tv", "TV"),
    ("smarttv", "TV"),
    ("googletv", "TV"),
    ("appletv", "TV"),
    ("bravia", "TV"),
    ("tizen", "TV"),
    ("web0s", "TV"),
    ("ipad", "Tablet"),
    ("tablet", "Tablet"),
    ("kindle", "Tablet"),
    ("iphone", "Phone"),
    ("ipod", "Phone"),
    ("mobile", "Phone"),
    ("phone", "Phone"),
    ("android", "Tablet"),  # one that does not say "mobile"
    ("windows", "Desktop"),
    ("macintosh", "Desktop"),
    ("cros ", "Desktop"),
    ("linux", "Desktop"),
    ("x11", "Desktop"),
)


@lru_cache(maxsize=KEPT)
def read_agent(agent: str) -> Agent:
    """Return what a User-Agent says; no browser comes without `Mozilla/` or `Opera/` and a system."""
    lower = agent.lower().replace("cubot", "")  # a maker of telephones
    system = _find(SYSTEMS, lower)
    browser = _find(BROWSERS, lower)
    bot = not lower.startswith(("mozilla/", "opera/")) or (system == OTHER and browser == OTHER) or _names_itself(lower)
    return Agent(browser, system, _find(DEVICES, lower), bot)


def _names_itself(lower: str) -> bool:
    # Loops, not expressions that generate: whoever sends another agent each time makes this run each time.
    for token in BOTS:  # noqa: SIM110
        if token in lower:
            return True
    return False


def _find(table: Table, lower: str) -> str:
    for token, name in table:
        if token in lower:
            return name
    return OTHER
