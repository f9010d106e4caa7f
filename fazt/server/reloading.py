"""What SIGHUP has read anew, without a connection being dropped: the key of the secrets, the settings, the countries.

Settings that come from the environment or the command line cannot change in a process; those of the database count
without this. But one that is secret counts again once its key is there. Rule: what cannot be read leaves everything as
it was.
"""

import asyncio
import logging
import os
import signal
import sys

from fazt.api.parts import Parts
from fazt.errors import FaztError
from fazt.store import sealing
from fazt.store import settings as stored_settings
from fazt.visits.countries import open_countries

log = logging.getLogger("fazt.server")


async def reload_on_hangup(parts: Parts) -> None:
    """Read anew at each SIGHUP, until the task is cancelled.

    On a terminal SIGHUP says that it was closed, and ends the server; where somebody lets it be ignored, it is.
    """
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_DFL or (sys.stdin is not None and os.isatty(0)):
        return
    hung_up = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hung_up.set)
    while True:
        await hung_up.wait()
        hung_up.clear()
        try:
            await reload(parts)
        except FaztError as error:
            log.error("nothing was read anew: %s", error.message)
        except Exception:  # one bad reload must not end all later ones
            log.exception("nothing was read anew")
        else:
            log.info("the key, the settings and the countries were read anew")


async def reload(parts: Parts) -> None:
    """Read anew. Raises: StoreError."""
    sealing.forget_keys()
    parts.settings.take(await parts.database.read(stored_settings.find_all))
    parts.visits.locate_by(await asyncio.to_thread(open_countries, parts.settings.now.country_database))
