"""Which names carry a hash of the content; all are names that real tools or people make."""

import pytest

from fazt.sites.caching import cache_control, carries_hash
from fazt.sites.media_types import media_type

HASHED = """
    app.3f2a9c1b.js main.8a3f2b1c.chunk.js 2.4b1d9e07.chunk.css runtime-main.a3f9c2d1.js main.0253249f.min.css
    bundle.83f73b43.min.js assets/javascripts/bundle.d6f25eb3.min.js index.4f8c2f1e.css polyfills-42372ed130431b0a.js
    _next/static/chunks/webpack-59c5c889f52620d6.js 4bd1b696-409494caf8c83275.js framework-2c79e2a64abdb08b.js
    application-908e25f4bf641868d8683022a5b62f54e4c1b1d2a9f0a7b5c3d8e6f1a2b3c4d5.css logo.5d5d9eef.svg
    style.min.a1d0c6e83f027327d8461063f4ac58a6.css 1be78505.f3a2c1d4.js runtime~main.a1b2c3d4.js
    assets/index-BxY3kd9Q.js assets/index-C4rIzP2x.css vendor-D8fT3kLm.js logo-B1xq9ZpT.svg
    chunk.abcdef12.css
    _astro/hoisted.Ck3v9ZqL.js entry.B2a9xKqP.js _app/immutable/entry/start.DqZp3l1V.js
    _app/immutable/chunks/nothingbutname.js Inter-roman-latin.Di8DUHzh.woff2 guide.md.B9xKq2Lp.lean.js
    main-5XQJ2Z3K.js chunk-2QH7KD4A.js styles-5IN7RTSO.css d41d8cd98f00b204e9800998ecf8427e.png
    photo_9f86d081884c7d65.jpg
    component---src-pages-index-js-1a2b3c4d5e6f7a8b9c0d.js KaTeX_Main-3f2a9c1b.woff2 hero.DC09B3F1.webp
""".split()

PLAIN = """
    app.js style.css main.min.js jquery-3.7.1.min.js bootstrap.bundle.min.js react.production.min.js index.js
    bootstrap-5.3.3.css swagger-ui-bundle.js swagger-ui-es-bundle-core.js pdf.worker.min.mjs v1.2.3.js lib-10.20.30.js
    2024-01-15-post.json 20240115.png 20240115a.png IMG_20240115.jpg IMG_4821.jpg DSC01234.JPG Screenshot2024.png
    screenshot-20240115T120000.png photo-1699999999999.jpg 1699999999.json report-20240115-final.pdf 12345678.txt
    deadbeef.js facade.css feedface.png cafe2024.jpg decade80.mp3 babe1234.png accessed2.js MyComponent.js JavaScript.js
    my-JavaScript.js lib-TypeScript5.js Chapter10Intro.md page-Chapter10.png iPhone14Pro.png web-iPhone14Pro.png
    KaTeX_Main-Regular.woff2 KaTeX_AMS-Regular.ttf fontawesome-webfont.woff2 glyphicons-halflings-regular.woff
    favicon-32x32.png android-chrome-192x192.png apple-touch-icon-180x180.png hero-1920x1080.jpg image-1080p60.mp4
    sw.js service-worker.js manifest.webmanifest robots.txt sitemap.xml openapi-v3.json i18n.en-US.json utf8.txt
    README.md CHAPTER2.md photo-CHAPTER2.js backup-ABCDEFGH.js mp4video.mp4 h264high.mkv covid19data.csv log4j2.js
    550e8400-e29b-41d4-a716-446655440000.jpg d41d8cd98f00b204e9800998ecf8427e abcdef1.js chunk.1a2b3c4.js 1.js 404.svg
    Montserrat-VariableFont_wght.ttf three.module.js es2015-polyfills.js vue@3.4.21.js a1b2c3.css
""".split()


@pytest.mark.parametrize("path", HASHED)
def test_hashed_names(path: str) -> None:
    assert carries_hash(path)
    assert cache_control(path, media_type(path)) == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("path", PLAIN)
def test_plain_names(path: str) -> None:
    assert not carries_hash(path)
    assert cache_control(path, media_type(path)) == "public, max-age=300"


@pytest.mark.parametrize("path", ["index.html", "page.3f2a9c1b.html", "a.htm", "a.xhtml"])
def test_html_is_always_asked_for_again(path: str) -> None:
    assert cache_control(path, media_type(path)) == "no-cache"
