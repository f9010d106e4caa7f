"""Which deploys were told to send contents and have not come back yet: what they sent must not be collected."""

import time

REMEMBERED_S = 3600.0


class Uploads:
    """The deploys under way."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def begin(self, site: str) -> None:
        """Note that a deploy of a site was told what is missing."""
        self._since[site] = time.monotonic()

    def end(self, site: str) -> None:
        """Note that a deploy of a site was committed."""
        self._since.pop(site, None)

    @property
    def spared_ms(self) -> int:
        """How old an unused content must be to be collected now: any age where no deploy is under way."""
        limit = time.monotonic() - REMEMBERED_S
        self._since = {site: since for site, since in self._since.items() if since > limit}
        return int(REMEMBERED_S * 1000) if self._since else 0
