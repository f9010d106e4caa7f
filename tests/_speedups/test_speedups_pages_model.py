"""The cache against a model, in any order of use: its bound holds, and nothing but the current page is given out."""

from fake_lane import make_page
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fazt._speedups.pages import Page, Pages

MAX_BYTES = 100_000
MAX_NEGATIVE = 3
SITES = ["blog", "shop"]
KEYS = st.sampled_from([b"host/%d" % number for number in range(25)])


class CacheMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.pages = Pages(MAX_BYTES, MAX_NEGATIVE)
        self.latest: dict[bytes, Page] = {}  # what may be there, if it was not evicted
        self.asked = 0

    def is_current(self, page: Page) -> bool:
        since = self.pages.generation if page.status == 404 else page.site.generation
        return page.generation >= since

    def look(self, key: bytes) -> Page | None:
        found = self.pages.get(key)
        self.asked += 1
        if found is None:
            self.latest.pop(key, None)
        else:
            assert found is self.latest[key]
            assert self.is_current(found)
        return found

    @rule(
        key=KEYS,
        site=st.sampled_from(SITES),
        size=st.one_of(st.integers(0, 2000), st.integers(0, 11_000)),
        status=st.sampled_from([200, 200, 200, 301, 404]),
        age=st.sampled_from([0, 0, 0, 1, 3]),
        keep=st.sampled_from([True] * 5 + [False]),
        look=st.booleans(),
    )
    def put(self, key: bytes, site: str, size: int, status: int, age: int, keep: bool, look: bool) -> None:
        generation = max(0, self.pages.generation - age)
        page = make_page(self.pages, bytes(size), site=site, status=status, generation=generation, keep=keep)
        may = keep and self.is_current(page) and page.size <= MAX_BYTES // 10
        taken = self.pages.put(key, page)
        assert may or not taken
        if taken:
            self.latest[key] = page
            assert not look or self.look(key) is page
        elif may:  # there was no room; what had been there has gone as well
            self.latest.pop(key, None)
            assert self.look(key) is None

    @rule(key=KEYS, times=st.integers(1, 3))
    def get(self, key: bytes, times: int) -> None:
        for _ in range(times):
            self.look(key)

    @rule(keys=st.lists(KEYS, max_size=20))
    def get_many(self, keys: list[bytes]) -> None:
        for key in keys:
            self.look(key)

    @rule(sites=st.lists(st.sampled_from([*SITES, "unknown"]), max_size=2))
    def forget(self, sites: list[str]) -> None:
        before = self.pages.generation
        self.pages.forget(sites)
        assert self.pages.generation > before

    @rule()
    def clear(self) -> None:
        self.pages.clear()
        self.latest.clear()
        assert self.pages.statistics()[:3] == (0, 0, 0)

    @rule()
    def audit(self) -> None:
        """After every key was looked up only current pages are there, and the books are right."""
        found = [page for key in list(self.latest) if (page := self.look(key)) is not None]
        statistics = self.pages.statistics()
        assert statistics.entries == len(found)
        assert statistics.negative_entries == sum(page.status == 404 for page in found)
        assert statistics.bytes == sum(page.size for page in found)

    @invariant()
    def bounds_hold(self) -> None:
        statistics = self.pages.statistics()
        assert 0 <= statistics.bytes <= statistics.max_bytes == MAX_BYTES
        assert statistics.negative_entries <= MAX_NEGATIVE
        assert statistics.entries <= len(self.latest)
        assert statistics.hits + statistics.misses == self.asked

    def teardown(self) -> None:
        self.audit()


CacheMachine.TestCase.settings = settings(deadline=None, max_examples=60, stateful_step_count=60)
TestCache = CacheMachine.TestCase
