"""The Content-Type of a path, and which types are worth compressing.

The table is our own: what a site answers must not depend on the files of the machine it runs on.
Rule: text carries `charset=utf-8`; what is not in the table is `application/octet-stream`.
"""

_TABLE = """
text/html                       html htm shtml
text/css                        css
text/javascript                 js mjs cjs
text/plain                      txt text log conf cfg ini env diff patch py rb sh bash c h cc cpp hpp rs go java sql
text/markdown                   md markdown mdx
text/csv                        csv
text/tab-separated-values       tsv
text/calendar                   ics ifb
text/vcard                      vcf vcard
text/vtt                        vtt
text/x-component                htc
text/mathml                     mml
application/json                json map topojson
application/ld+json             jsonld
application/geo+json            geojson
application/manifest+json       webmanifest
application/feed+json           jsonfeed
application/jsonl               jsonl ndjson
application/xml                 xml xsd xsl
application/xhtml+xml           xhtml xht
application/xslt+xml            xslt
application/rss+xml             rss
application/atom+xml            atom
application/rdf+xml             rdf
application/opensearchdescription+xml osdx
application/gpx+xml             gpx
application/vnd.google-earth.kml+xml kml
application/vnd.google-earth.kmz kmz
application/yaml                yaml yml
application/toml                toml
application/wasm                wasm
application/pdf                 pdf
application/postscript          ps eps
application/rtf                 rtf
application/epub+zip            epub
application/msword              doc
application/vnd.ms-excel        xls
application/vnd.ms-powerpoint   ppt
application/vnd.ms-fontobject   eot
application/vnd.openxmlformats-officedocument.wordprocessingml.document docx
application/vnd.openxmlformats-officedocument.spreadsheetml.sheet xlsx
application/vnd.openxmlformats-officedocument.presentationml.presentation pptx
application/vnd.oasis.opendocument.text odt
application/vnd.oasis.opendocument.spreadsheet ods
application/vnd.oasis.opendocument.presentation odp
application/vnd.android.package-archive apk
application/vnd.apple.mpegurl   m3u8
application/dash+xml            mpd
application/zip                 zip
application/gzip                gz tgz
application/x-bzip2             bz2
application/x-xz                xz
application/zstd                zst
application/x-tar               tar
application/x-7z-compressed     7z
application/vnd.rar             rar
application/java-archive        jar war
application/x-xpinstall         xpi
application/x-sqlite3           sqlite sqlite3
application/pgp-signature       sig
application/pgp-keys            pgp
application/pkix-cert           cer
application/x-x509-ca-cert      crt der
application/x-pem-file          pem
image/png                       png
image/apng                      apng
image/jpeg                      jpg jpeg jfif
image/gif                       gif
image/webp                      webp
image/avif                      avif
image/jxl                       jxl
image/heic                      heic
image/heif                      heif
image/svg+xml                   svg svgz
image/x-icon                    ico cur
image/bmp                       bmp
image/tiff                      tif tiff
font/woff                       woff
font/woff2                      woff2
font/ttf                        ttf
font/otf                        otf
font/collection                 ttc
audio/mpeg                      mp3
audio/mp4                       m4a
audio/aac                       aac
audio/ogg                       oga ogg spx
audio/opus                      opus
audio/wav                       wav
audio/flac                      flac
audio/webm                      weba
audio/midi                      mid midi
audio/mpegurl                   m3u
video/mp4                       mp4 m4v
video/webm                      webm
video/ogg                       ogv
video/quicktime                 mov
video/x-msvideo                 avi
video/x-matroska                mkv
video/mpeg                      mpg mpeg
video/mp2t                      ts
video/3gpp                      3gp
model/gltf+json                 gltf
model/gltf-binary               glb
model/vnd.usdz+zip              usdz
model/obj                       obj
model/stl                       stl
"""

UNKNOWN = "application/octet-stream"
_BY_SUFFIX = {
    suffix: f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type
    for media_type, *suffixes in (line.split() for line in _TABLE.strip().splitlines())
    for suffix in suffixes
}
# Apple fetches this one by its bare name and wants JSON.
_BY_NAME = {"apple-app-site-association": "application/json"}

_SHRINKING = """
    application/json application/jsonl application/xml application/yaml application/toml application/wasm
    application/rtf application/postscript application/vnd.ms-fontobject application/vnd.apple.mpegurl
    application/x-pem-file application/pgp-keys font/ttf font/otf font/collection image/bmp image/x-icon image/tiff
    audio/wav audio/midi model/gltf-binary model/obj model/stl
"""
_COMPRESSIBLE = frozenset(_SHRINKING.split())


def media_type(path: str) -> str:
    """Return the value of Content-Type for a file of this path."""
    name = path[path.rfind("/") + 1 :]
    dot = name.rfind(".")
    if dot < 0:
        return _BY_NAME.get(name, UNKNOWN)
    return _BY_SUFFIX.get(name[dot + 1 :].lower(), UNKNOWN)


def is_compressible(media_type: str) -> bool:
    """Say whether bodies of this type shrink: text and its kin do, what is compressed inside does not."""
    bare = media_type.partition(";")[0].strip().lower()
    return bare.startswith("text/") or bare in _COMPRESSIBLE or bare.endswith(("+json", "+xml"))
