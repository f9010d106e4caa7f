"""Content-Type by name, and what is worth compressing."""

import pytest

from fazt.sites.media_types import is_compressible, media_type


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("INDEX.HTML", "text/html; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.txt", "text/plain; charset=utf-8"),
        ("a.md", "text/markdown; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.js.map", "application/json"),
        ("a.webmanifest", "application/manifest+json"),
        ("a.xml", "application/xml"),
        ("feed.atom", "application/atom+xml"),
        ("a.svg", "image/svg+xml"),
        ("a.png", "image/png"),
        ("a.jpeg", "image/jpeg"),
        ("a.webp", "image/webp"),
        ("a.avif", "image/avif"),
        ("favicon.ico", "image/x-icon"),
        ("a.woff2", "font/woff2"),
        ("a.ttf", "font/ttf"),
        ("a.wasm", "application/wasm"),
        ("a.pdf", "application/pdf"),
        ("a.tar.gz", "application/gzip"),
        ("a.mp4", "video/mp4"),
        ("a.mp3", "audio/mpeg"),
        ("a.vtt", "text/vtt; charset=utf-8"),
        ("a.ics", "text/calendar; charset=utf-8"),
        (".well-known/apple-app-site-association", "application/json"),
        (".well-known/security.txt", "text/plain; charset=utf-8"),
        ("LICENSE", "application/octet-stream"),
        ("v1.2/LICENSE", "application/octet-stream"),
        ("folder.html/file", "application/octet-stream"),
        ("a.unknown", "application/octet-stream"),
        ("a.", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
def test_media_type(path: str, expected: str) -> None:
    assert media_type(path) == expected


@pytest.mark.parametrize(
    ("suffix", "shrinks"),
    [
        *(
            (suffix, True)
            for suffix in "html css js mjs json svg xml txt md wasm ttf otf eot ico map csv atom gltf".split()
        ),
        *((suffix, False) for suffix in "png jpg webp avif woff woff2 zip gz mp4 mp3 pdf docx epub unknown".split()),
    ],
)
def test_what_is_worth_compressing(suffix: str, shrinks: bool) -> None:
    assert is_compressible(media_type(f"a.{suffix}")) is shrinks


def test_a_type_in_any_case_and_with_parameters() -> None:
    assert is_compressible("Text/HTML; charset=utf-8")
    assert is_compressible("application/problem+json;x=y")
    assert not is_compressible("")
