"""A release: where it is, whether it is what it claims to be, and its wheels.

A place of releases has `latest/download/` and `download/v<version>/`, as GitHub has them. Rule: nothing of a release is
unpacked before SHA256SUMS carries the key's signature and the bundle fits its line there.
"""

import hashlib
import platform
import re
import shutil
import sys
import tarfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import minisign

from fazt import __version__
from fazt.errors import InvalidInput, MachineError, SignatureRefused

SUMS = "SHA256SUMS"
SIGNATURE = "SHA256SUMS.minisig"
LINE = re.compile(r"(?P<digest>[0-9a-f]{64})  (?P<name>[A-Za-z0-9][A-Za-z0-9._+-]*)")
WHEEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*\.whl")
SMALL_BYTES = 1 << 20
BUNDLE_BYTES = 1 << 30
PIECE_BYTES = 1 << 20
TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Release:
    """A release whose signature was checked. `bundle`: the file's name; `digest`: its SHA-256 in hexadecimal digits."""

    version: str
    bundle: str
    digest: str


def tag() -> str:
    """Return what the bundles for this Python and this kind of machine end with."""
    return f"cp{sys.version_info[0]}{sys.version_info[1]}-linux_{platform.machine()}"


def own_key() -> str:
    """Return the public key that came with this version. Raises: InvalidInput where none did."""
    file = files("fazt.machine").joinpath("release.pub")
    if not file.is_file():
        raise InvalidInput("This Fazt carries no key of releases: name the one that you trust with --key.")
    return file.read_text()


def read_sums(sums: bytes, signature: bytes, key: str) -> Release:
    """Return the release for this machine that a signed list of checksums names.

    Raises: SignatureRefused, InvalidInput where the key is none, MachineError where no bundle fits this machine.
    """
    try:
        public = minisign.PublicKey.from_base64(key.strip().splitlines()[-1])
    except (minisign.Error, ValueError, IndexError) as error:
        raise InvalidInput(f"{key!r} is no public key of minisign.") from error
    try:
        public.verify(sums, minisign.Signature.from_bytes(signature))
    except (minisign.Error, ValueError) as error:
        raise SignatureRefused(
            f"The signature of {SUMS} is not that of the releases' key. Nothing was installed."
        ) from error
    wanted = re.compile(rf"fazt-(?P<version>[0-9][A-Za-z0-9.+]*)-{re.escape(tag())}\.tar")
    for line in sums.decode("ascii", "replace").splitlines():
        stated = LINE.fullmatch(line)
        match = wanted.fullmatch(stated["name"]) if stated else None
        if stated and match:
            return Release(match["version"], stated["name"], stated["digest"])
    raise MachineError(f"This release has no bundle for {tag()}.")


def look_up(place: str, version: str | None, key: str) -> Release:
    """Return the latest release of a place, or a certain one. Raises: as `read_sums`, MachineError."""
    base = _base(place, version)
    release = read_sums(_fetch(f"{base}/{SUMS}"), _fetch(f"{base}/{SIGNATURE}"), key)
    if version is not None and release.version != version:
        raise SignatureRefused(f"{base} holds version {release.version}, not {version}.")
    return release


def download(place: str, version: str | None, release: Release, folder: Path) -> Path:
    """Fetch the bundle of a release into a folder. Raises: MachineError."""
    target = folder / release.bundle
    url = f"{_base(place, version)}/{release.bundle}"
    try:
        with _open(url) as answer, target.open("wb") as file:
            while piece := answer.read(PIECE_BYTES):
                if file.tell() + len(piece) > BUNDLE_BYTES:
                    raise MachineError(f"{url} is larger than any bundle.")
                file.write(piece)
    except OSError as error:
        raise MachineError(f"{url} could not be fetched: {error}.") from error
    return target


def read_beside(bundle: Path, key: str) -> Release:
    """Return the release of a bundle in a file, by the signed list in the same folder. Raises: as `read_sums`."""
    sums, signature = bundle.with_name(SUMS), bundle.with_name(SIGNATURE)
    for each in (bundle, sums, signature):
        if not each.is_file():
            raise InvalidInput(f"There is no {each}.")
    release = read_sums(sums.read_bytes(), signature.read_bytes(), key)
    if release.bundle != bundle.name:
        raise SignatureRefused(f"{sums} names {release.bundle}, not {bundle.name}.")
    return release


def unpack(bundle: Path, release: Release, folder: Path) -> Path:
    """Check a bundle and unpack it; return the folder with its wheels. Raises: SignatureRefused, MachineError."""
    with bundle.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != release.digest:
        raise SignatureRefused(f"{bundle.name} is damaged: its checksum is not the one that was signed.")
    wheels = folder / "wheels"
    wheels.mkdir()
    try:
        with tarfile.open(bundle) as archive:
            for member in archive:
                name = member.name.removeprefix(f"{bundle.name.removesuffix('.tar')}/wheels/")
                content = archive.extractfile(member) if member.isfile() and WHEEL_NAME.fullmatch(name) else None
                if content is not None:
                    with content, (wheels / name).open("wb") as file:
                        shutil.copyfileobj(content, file)
    except (tarfile.TarError, OSError) as error:
        raise MachineError(f"{bundle.name} could not be unpacked: {error}.") from error
    return wheels


def _base(place: str, version: str | None) -> str:
    if not place.startswith(("https://", "http://")):
        raise InvalidInput(f"{place!r} is no address of releases; it begins with https://.")
    return f"{place.rstrip('/')}/" + ("latest/download" if version is None else f"download/v{version}")


def _fetch(url: str) -> bytes:
    try:
        with _open(url) as answer:
            data: bytes = answer.read(SMALL_BYTES + 1)
    except OSError as error:
        raise MachineError(f"{url} could not be fetched: {error}.") from error
    if len(data) > SMALL_BYTES:
        raise MachineError(f"{url} is too long.")
    return data


def _open(url: str) -> "urllib.request._UrlopenRet":
    request = urllib.request.Request(url, headers={"User-Agent": f"fazt/{__version__}"})  # noqa: S310  http(s), see _base
    return urllib.request.urlopen(request, timeout=TIMEOUT_S)  # noqa: S310
