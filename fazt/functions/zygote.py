"""The process that runners are forked from: V8 is started in it once, and no site's code ever runs in it.

Its isolate has the web standards loaded, and a runner is a copy of it: forked on the isolate's own thread, the only one
that the new process has. It shares all memory with the others that it does not change. So nothing that must differ from
one isolate to the next may be drawn in the zygote: see js/src/random.js.

It speaks to the server over a socket of packets: an order to fork comes with the runner's end of a socket pair, and the
answer is the new process's pid and a descriptor of it; a runner's end is told too. Rule: it ends with the server, and
its runners end with it.
"""

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fazt.functions import confinement, driver
from fazt.functions.frames import HEAD, Kind

# One thread for each isolate and none beside; V8's own heap limit lies above the one that the driver sets.
V8_FLAGS = "--single-threaded --max-heap-size=1024 --max-semi-space-size=2 --optimize-for-size --expose-gc-as=__collect"
HELD_SCRIPT = "runtime"
ORDER_BYTES = 4096
SCRIPTS = Path(__file__).parent / "js" / "dist"
TAKE_FUNCTION = b"""
;(() => { const slice = globalThis.__slice; delete globalThis.__slice; return slice; })()
//# sourceURL=fazt:runtime"""


def main() -> None:
    """Serve orders until the server hangs up; the descriptor of the socket is the only argument."""
    control = socket.socket(fileno=int(sys.argv[1]))
    # Python warns of forks where there are several threads; the other one here never runs anything.
    warnings.simplefilter("ignore", DeprecationWarning)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the server decides
    spec = find_spec("py_mini_racer")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("mini-racer is not installed")
    folder = spec.submodule_search_locations[0]
    driver.load(f"{folder}/libmini_racer.so", f"{folder}/icudtl.dat", V8_FLAGS)
    scripts = {path.stem: path.read_bytes() + TAKE_FUNCTION for path in SCRIPTS.glob("*.js")}
    driver.prepare(scripts[HELD_SCRIPT])
    woken, waker = socket.socketpair()
    waker.setblocking(False)
    signal.set_wakeup_fd(waker.fileno())
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    gc.collect()
    gc.freeze()  # what is there now is never looked at again, so that it stays shared with the runners
    gc.disable()

    def work() -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the server has gone meanwhile
            control.send(b'{"ready":true}')
            _serve(control, woken, scripts)

    driver.hold(work)


def _serve(control: socket.socket, woken: socket.socket, scripts: dict[str, bytes]) -> None:
    """Fork what is ordered until the server hangs up; returns in a runner too, once it is one."""
    while True:
        readable, _, _ = select.select([control, woken], [], [])
        if woken in readable:
            woken.recv(4096)
            for pid, status in _ended():
                control.send(json.dumps({"ended": pid, "status": status}).encode())
        if control in readable:
            order, descriptors, _, _ = socket.recv_fds(control, ORDER_BYTES, 1)
            if not order:
                return
            if not _fork(control, descriptors[0], json.loads(order), scripts):
                return


def _ended() -> Iterator[tuple[int, int]]:
    """Yield the runners that have ended: pid, and exit code or minus the signal."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        yield pid, os.waitstatus_to_exitcode(status)


def _fork(control: socket.socket, descriptor: int, order: dict[str, Any], scripts: dict[str, bytes]) -> bool:
    """Make a runner; tell whether this is still the zygote."""
    try:
        pid = os.fork()
    except OSError as error:  # too many processes, or no memory for one more: those that there are go on
        os.close(descriptor)
        control.send(json.dumps({"order": order["order"], "failed": error.strerror}).encode())
        return True
    if not pid:
        _run(descriptor, order, scripts)
        return False
    os.close(descriptor)
    pidfd = os.pidfd_open(pid)  # before it can be reaped: the number cannot be another process's yet
    socket.send_fds(control, [json.dumps({"order": order["order"], "pid": pid}).encode()], [pidfd])
    os.close(pidfd)
    return True


def _run(descriptor: int, order: dict[str, Any], scripts: dict[str, bytes]) -> None:
    """Be a runner: of the zygote's isolate, which begins to work when this returns, or of one for another script."""
    try:
        confinement.die_with_parent()
        confinement.stand_back()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nothing, number)
        os.dup2(descriptor, 3)
        os.closerange(4, os.sysconf("SC_OPEN_MAX"))
        confinement.give_up_rights()
        if order["script"] != HELD_SCRIPT:
            driver.prepare(scripts[order["script"]])
        driver.bound(3, heap_bytes=order["heap_bytes"], cpu_cap_s=order["cpu_cap_s"])
        confinement.limit_memory(order["memory_bytes"])
        confinement.refuse_everything_else()
        if order["script"] != HELD_SCRIPT:
            driver.serve()
        driver.serve_held()
    except BaseException as error:  # nothing of the zygote's may go on in its child
        reason = json.dumps({"reason": "start", "message": f"{type(error).__name__}: {error}"[:2000]}).encode()
        os.write(3, HEAD.pack(len(reason), Kind.FATAL, 0, 0, len(reason), 0) + reason)
        os._exit(71)


if __name__ == "__main__":
    main()
