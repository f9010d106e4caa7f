"""The key of releases: make one, sign with it. minisign's format; `tools/release` calls this.

tools/signing.py new-key SECRET_FILE     make a pair; the public key goes into install.sh and the package
tools/signing.py sign SECRET_FILE FILE   write FILE.minisig
"""

import os
import re
import sys
import time
from pathlib import Path

from minisign import KeyPair, SecretKey

ROOT = Path(__file__).parents[1]
PUBLIC = ROOT / "fazt" / "machine" / "release.pub"
INSTALLER = ROOT / "install.sh"


def new_key(secret_file: Path) -> None:
    """Make a pair of keys; the secret one is written where nobody else reads it, and never over another."""
    pair = KeyPair.generate()
    descriptor = os.open(secret_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(bytes(pair.secret_key))
    public = bytes(pair.public_key).decode().splitlines()[-1]
    PUBLIC.write_bytes(bytes(pair.public_key))
    text = re.sub(r'^KEY="[^"]*"', f'KEY="{public}"', INSTALLER.read_text(), flags=re.MULTILINE)
    INSTALLER.write_text(text)
    print(
        f"The secret key is in {secret_file}: keep it, nobody can make it again. Commit {PUBLIC.name} and install.sh."
    )


def sign(secret_file: Path, file: Path) -> None:
    """Sign a file."""
    secret = SecretKey.from_file(secret_file)
    if secret.is_encrypted():
        secret.decrypt(os.environ["FAZT_RELEASE_KEY_PASSWORD"])
    comment = f"timestamp:{int(time.time())}\tfile:{file.name}\tprehashed"
    signature = secret.sign(file.read_bytes(), trusted_comment=comment)
    Path(f"{file}.minisig").write_bytes(bytes(signature))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["new-key", secret]:
            new_key(Path(secret))
        case ["sign", secret, path]:
            sign(Path(secret), Path(path))
        case _:
            sys.exit(__doc__)
