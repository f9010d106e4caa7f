"""Releases made in a second: this checkout as a wheel of any version, in a bundle with checksum and signature.

The wheel names no dependencies; a path entry in it leads to those of the environment that runs the tests.
"""

import base64
import hashlib
import io
import platform
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from minisign import KeyPair

ROOT = Path(__file__).parents[2]
TAG = f"cp{sys.version_info[0]}{sys.version_info[1]}"
MACHINE = f"linux_{platform.machine()}"
KEYS = KeyPair.generate()
PUBLIC_KEY = bytes(KEYS.public_key).decode().splitlines()[-1]
LEFT_OUT = {".pyx", ".pxd", ".pyi", ".c", ".pyc"}


def make_wheel(folder: Path, version: str, changed: Mapping[str, str] | None = None) -> Path:
    """Write a wheel of this package; `changed`: files with another content, by their path in the wheel."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"fazt-{version}-{TAG}-{TAG}-{MACHINE}.whl"
    content = {f"fazt/{each.relative_to(ROOT / 'fazt')}": each.read_bytes() for each in _package()}
    content["fazt/__init__.py"] = f'"""Fazt."""\n\n__version__ = "{version}"\n'.encode()
    content["fazt_dependencies.pth"] = f"{sysconfig.get_path('purelib')}\n".encode()
    content |= {name: text.encode() for name, text in (changed or {}).items()}
    info = f"fazt-{version}.dist-info"
    content[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: fazt\nVersion: {version}\n".encode()
    content[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {TAG}-{TAG}-{MACHINE}\n".encode()
    content[f"{info}/entry_points.txt"] = b"[console_scripts]\nfazt = fazt.cli.main:main\n"
    record = "".join(f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in content.items())
    content[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    with zipfile.ZipFile(path, "w") as wheel:
        for name, data in content.items():
            wheel.writestr(name, data)
    return path


def _package() -> list[Path]:
    found = [each for each in (ROOT / "fazt").rglob("*") if each.is_file() and each.suffix not in LEFT_OUT]
    return [each for each in found if "__pycache__" not in each.parts]


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def make_release(folder: Path, version: str, changed: Mapping[str, str] | None = None, keys: KeyPair = KEYS) -> Path:
    """Write a bundle, SHA256SUMS and its signature into a folder; return the bundle."""
    name = f"fazt-{version}-{TAG}-{MACHINE}"
    wheel = make_wheel(folder / "made", version, changed)
    bundle = folder / f"{name}.tar"
    with tarfile.open(bundle, "w") as archive:
        data = wheel.read_bytes()
        member = tarfile.TarInfo(f"{name}/wheels/{wheel.name}")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    sign(folder, bundle, keys)
    return bundle


def sign(folder: Path, bundle: Path, keys: KeyPair = KEYS) -> None:
    """Write checksum and signature of a bundle."""
    sums = folder / "SHA256SUMS"
    sums.write_text(f"{hashlib.sha256(bundle.read_bytes()).hexdigest()}  {bundle.name}\n")
    signature = keys.secret_key.sign(sums.read_bytes(), trusted_comment="a test")
    sums.with_name("SHA256SUMS.minisig").write_bytes(bytes(signature))


def install_script(*arguments: object, home: Path, path: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run install.sh as a shell does that gets it through a pipe, with nobody to ask."""
    environment = {"HOME": str(home), "PATH": path or "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"  # the Python of the tests
    return subprocess.run(
        ["bash", "-s", "--", *map(str, arguments)],
        input=(ROOT / "install.sh").read_text(),
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
    )
