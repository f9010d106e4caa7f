"""What is looked at: the database's path, the settings, and the server if one runs."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fazt.settings import Settings


@dataclass(frozen=True, slots=True)
class Subject:
    """One server and its machine; `serving_version` is None where no server runs."""

    path: Path
    settings: Settings
    serving_version: str | None
    backups: int = 0
    certificates: int = 0
    expires: tuple[str, datetime] | None = None  # the first name to be without a valid certificate, and when
    proven_at: datetime | None = None  # when a backup was last restored to a place of its own, and was right
    root: Path = Path("/")  # of the files in which the kernel tells about itself

    @property
    def is_serving(self) -> bool:
        """Tell whether a server runs."""
        return self.serving_version is not None

    @property
    def is_public(self) -> bool:
        """Tell whether others are to find this server by its name."""
        domain = self.settings.domain
        return domain != "localhost" and not domain.endswith(".localhost")
