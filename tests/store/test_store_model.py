"""The store against a model of it in dictionaries: uploads, versions, live ones, pruning, collection, in any order."""

import hashlib
import tempfile
from pathlib import Path

import apsw
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fazt.errors import BlobsMissing, SiteExists
from fazt.store import blobs, changes, sites, versions
from fazt.store.database import Database

CONTENTS = [b"", b"one", b"two", bytes(blobs.CHUNK_BYTES), b"long" * 100_000]
NUMBERS = st.integers(0, len(CONTENTS) - 1)  # drawn instead of the contents, which would be printed
NAMES = ["blog", "shop"]
PATHS = ["index.html", "a/b.html", "é.txt"]


class ModelSite:
    def __init__(self) -> None:
        self.versions: dict[int, dict[str, bytes]] = {}
        self.live: int | None = None
        self.previous: int | None = None


class StoreMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.database = Database.open(Path(self.folder.name) / "data.db", readers=1)
        self.sites: dict[str, ModelSite] = {}
        self.contents: set[bytes] = set()
        self.variants: dict[bytes, bytes] = {}
        self.seen: list[str] = []
        self.database.follow(lambda news: self.seen.extend(change.key for change in news))

    def teardown(self) -> None:
        self.database.close()
        self.folder.cleanup()

    def used(self) -> set[bytes]:
        return {data for site in self.sites.values() for files in site.versions.values() for data in files.values()}

    def changed(self, *names: str) -> None:
        """Every change reaches the followers before the write is answered."""
        assert self.seen == list(names)
        self.seen.clear()

    @initialize()
    def begin(self) -> None:
        self.seen.clear()

    @rule(name=st.sampled_from(NAMES))
    def create_site(self, name: str) -> None:
        if name in self.sites:
            with pytest.raises(SiteExists):
                self.database.write_blocking(sites.create, name)
            return
        self.database.write_blocking(sites.create, name)
        self.sites[name] = ModelSite()
        self.changed(name)

    @rule(number=NUMBERS)
    def put(self, number: int) -> None:
        data = CONTENTS[number]
        self.database.write_blocking(blobs.put, data)
        self.contents.add(data)

    @rule(number=NUMBERS, count=st.integers(0, 3))
    def put_chunks(self, number: int, count: int) -> None:
        data = CONTENTS[number]
        hash = hashlib.sha256(data).digest()
        done = False
        for n in range(min(count, blobs.chunk_count(len(data)))):
            piece = data[n * blobs.CHUNK_BYTES : (n + 1) * blobs.CHUNK_BYTES]
            done |= self.database.write_blocking(blobs.put_chunk, hash, len(data), n, piece)
        if done:
            assert data not in self.contents
            self.contents.add(data)

    @precondition(lambda self: self.sites)
    @rule(data=st.data(), numbers=st.dictionaries(st.sampled_from(PATHS), NUMBERS), live=st.booleans())
    def deploy(self, data: st.DataObject, numbers: dict[str, int], live: bool) -> None:
        files = {path: CONTENTS[number] for path, number in numbers.items()}
        name = data.draw(st.sampled_from(sorted(self.sites)))
        model = self.sites[name]

        def commit(connection: apsw.Connection) -> int:
            site = sites.get(connection, name)
            new = [versions.NewFile(path, hashlib.sha256(text).digest(), True) for path, text in files.items()]
            made = versions.create(
                connection, site.id, new, rules=b"{}", message="", source="", parent=site.live_version
            )
            if live:
                sites.set_live(connection, site.id, made.number)
            return made.number

        lacking = set(files.values()) - self.contents - set(self.variants.values())
        if lacking:
            with pytest.raises(BlobsMissing) as caught:
                self.database.write_blocking(commit)
            assert set(caught.value.details["missing"]) == {hashlib.sha256(text).hexdigest() for text in lacking}
            return
        number = self.database.write_blocking(commit)
        model.versions[number] = files
        if live:
            model.live, model.previous = number, model.live
            self.changed(name)

    @precondition(lambda self: any(site.versions for site in self.sites.values()))
    @rule(data=st.data())
    def set_live(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(name for name, site in self.sites.items() if site.versions)))
        model = self.sites[name]
        number = data.draw(st.sampled_from(sorted(model.versions)))
        site = self.database.read_blocking(sites.get, name)
        self.database.write_blocking(sites.set_live, site.id, number)
        if number != model.live:
            model.live, model.previous = number, model.live
            self.changed(name)

    @precondition(lambda self: self.sites)
    @rule(data=st.data(), keep=st.integers(0, 3))
    def prune(self, data: st.DataObject, keep: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.sites)))
        model = self.sites[name]
        site = self.database.read_blocking(sites.get, name)
        removed = self.database.write_blocking(versions.prune, site.id, keep)
        kept = set(sorted(model.versions)[len(model.versions) - keep :] if keep else []) | {model.live, model.previous}
        assert [version.number for version in removed] == [n for n in sorted(model.versions) if n not in kept]
        for version in removed:
            del model.versions[version.number]
        self.changed(*([name] if removed else []))

    @precondition(lambda self: self.sites)
    @rule(data=st.data())
    def remove_site(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.sites)))
        self.database.write_blocking(sites.remove, name)
        del self.sites[name]
        self.changed(name)

    @rule()
    def compress(self) -> None:
        for waiting in self.database.read_blocking(blobs.to_compress, 2):
            text = self.database.read_blocking(blobs.read_all, waiting.blob.id)
            coded = b"coded " + waiting.blob.hash
            names = self.database.write_blocking(blobs.add_variants, waiting.blob.id, [("br", coded)])
            self.variants[text] = coded
            serving = [n for n, site in self.sites.items() if site.live and text in site.versions[site.live].values()]
            assert names == sorted(serving)
            self.changed(*names)

    @rule()
    def collect(self) -> None:
        self.database.write_blocking(blobs.collect, 1000, 0)
        self.contents &= self.used()
        self.variants = {text: coded for text, coded in self.variants.items() if text in self.contents}
        expected = self.contents | set(self.variants.values())
        assert self.database.read_blocking(blobs.totals) == (len(expected), sum(map(len, expected)))
        assert self.database.write_blocking(blobs.collect, 1000, 0) == blobs.Collected(0, 0)

    @rule()
    def open_again(self) -> None:
        last = self.database.read_blocking(changes.last)
        self.database.close()
        self.database = Database.open(Path(self.folder.name) / "data.db", readers=1)
        self.database.follow(lambda news: self.seen.extend(change.key for change in news))
        assert self.database.read_blocking(changes.last) == last

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        self.database.read_blocking(self.compare)

    def compare(self, connection: apsw.Connection) -> None:
        assert [site.name for site in sites.list_page(connection, None, 99)] == sorted(self.sites)
        for name, model in self.sites.items():
            site = sites.get(connection, name)
            assert site.live_version == model.live
            previous = versions.previous_live(connection, site.id)
            assert (previous and previous.number) == model.previous
            stored = versions.list_page(connection, site.id, None, 99)
            assert [version.number for version in stored] == sorted(model.versions, reverse=True)
            for version in stored:
                files = versions.files(connection, version.number, None, 99)
                content = {file.path: blobs.read_all(connection, file.blob_id) for file in files}
                assert content == model.versions[version.number]
                assert version.bytes == sum(map(len, content.values()))
        for text in self.contents:
            assert blobs.find(connection, hashlib.sha256(text).digest()) is not None
        unused = {row[0] for row in connection.execute("SELECT blob FROM unused_blob")}
        exact = """SELECT id FROM blob WHERE id NOT IN (SELECT blob FROM version_file)
            AND id NOT IN (SELECT body FROM variant)"""
        assert unused == {row[0] for row in connection.execute(exact)}


TestStore = StoreMachine.TestCase
TestStore.settings = settings(deadline=None, max_examples=30, stateful_step_count=25)
