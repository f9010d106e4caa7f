"""nginx as the peer that `fazt bench --suite --against nginx` measures beside Fazt.

Rule: nginx gets what makes it fast (sendfile, open files kept, no access log, connections never cut for their number).
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fazt.bench.running import Running, free_port, start
from fazt.errors import NotFound

CONFIGURATION = """\
daemon off;
worker_processes 1;
worker_rlimit_nofile {descriptors};
pid {work}/nginx.pid;
error_log {work}/error.log;
{user}
events {{ worker_connections {descriptors}; multi_accept on; }}
http {{
  access_log off;
  client_body_temp_path {work}; proxy_temp_path {work};
  fastcgi_temp_path {work}; uwsgi_temp_path {work}; scgi_temp_path {work};
  sendfile on; tcp_nopush on; tcp_nodelay on;
  keepalive_timeout 600; keepalive_requests 1000000000; reset_timedout_connection on;
  open_file_cache max=20000 inactive=600s; open_file_cache_valid 600s;
  open_file_cache_min_uses 1; open_file_cache_errors on;
  types {{ text/html html; text/css css; text/javascript js; application/octet-stream bin; }}
  default_type application/octet-stream;
  server_tokens off; etag on; gzip off;
  server {{
    listen 127.0.0.1:{port} backlog=4096 reuseport;
    root {folder};
    error_page 404 /404.html;
    {headers}
  }}
}}
"""
SAME_HEADERS = 'add_header Cache-Control "no-cache" always; add_header X-Content-Type-Options "nosniff" always;'
DESCRIPTORS = 16384


def find_program(name: str) -> str:
    """Return the path of a program.

    Raises: NotFound, saying how it is installed.
    """
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/opt/homebrew/bin")
    if found is None:
        raise NotFound(f"{name} is not installed; on Debian: apt-get install {name}")
    return found


@contextlib.contextmanager
def nginx(folder: Path, *, core: int | None = None) -> Iterator[Running]:
    """Serve a folder with one worker of nginx. Headers are those that Fazt sends for a page of HTML.

    Raises: NotFound where nginx is not installed, ListenError where it does not start.
    """
    program = find_program("nginx")
    said = subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stderr
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="fazt-nginx-") as work:
        values = {
            "work": work,
            "port": port,
            "folder": folder,
            "descriptors": DESCRIPTORS,
            "headers": SAME_HEADERS,
            "user": "user root;" if os.geteuid() == 0 else "",  # the folder may be readable by its owner only
        }
        file = Path(work) / "nginx.conf"
        file.write_text(CONFIGURATION.format(**values))
        with start(
            "nginx", said.rpartition("/")[2].strip(), [program, "-c", str(file), "-p", work], port, core=core
        ) as running:
            yield running
