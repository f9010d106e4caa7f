"""What a runner may not do: tried from inside of a confined process, and read off a real one."""

import json
import os
import platform
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from loopback import FaztServer, free_port

from fazt.functions import confinement

BUDGET = 32 << 20
HOST = "confined.localhost"
pytestmark = pytest.mark.skipif(not confinement.is_supported(), reason="functions are not confined on this machine")
x86_only = pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers are those of x86_64")

# Written to a process of its own, which confines itself and does one thing. It can still write to its standard output.
PRELUDE = f"""
import ctypes, errno, json, mmap, os, resource, signal, socket, subprocess, sys, threading
from fazt.functions import confinement

libc = ctypes.CDLL(None, use_errno=True)
secret = open("/etc/hostname")
others = [os.getpid(), os.getppid()]

def told(value):
    os.write(1, json.dumps(value).encode())
    os._exit(0)

def result(work):
    try:
        work()
    except MemoryError:
        return "ENOMEM"
    except OSError as error:
        return errno.errorcode[error.errno]
    except ValueError as error:  # as `resource` says EPERM
        return "EPERM" if str(error) == "not allowed to raise maximum limit" else str(error)
    return "done"

def call(number, *arguments):
    ctypes.set_errno(0)
    if libc.syscall(number, *arguments) == -1:
        raise OSError(ctypes.get_errno(), "")

def confine():
    confinement.give_up_rights()
    confinement.limit_memory({BUDGET})
    confinement.refuse_everything_else()
"""

FORBIDDEN = {
    "open": "os.open('/etc/passwd', os.O_RDONLY)",
    "open what is not there": "os.open('/nothing', os.O_RDONLY)",
    "make a file": "os.open('/tmp/made', os.O_WRONLY | os.O_CREAT)",
    "list a folder": "os.listdir('/')",
    "look at a file": "os.stat('/etc/passwd')",
    "look at an open file": "os.fstat(0)",
    "remove": "os.unlink('/tmp/nothing')",
    "make a folder": "os.mkdir('/tmp/made')",
    "change the folder": "os.chdir('/')",
    "change the root": "os.chroot('/')",
    "read the environment of another": "os.open(f'/proc/{others[1]}/environ', os.O_RDONLY)",
    "seek": "os.lseek(secret.fileno(), 0, os.SEEK_SET)",
    "socket": "socket.socket(socket.AF_INET, socket.SOCK_STREAM)",
    "socket of version 6": "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)",
    "Unix socket": "socket.socket(socket.AF_UNIX)",
    "pair of sockets": "socket.socketpair()",
    "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "pipe": "os.pipe()",
    "duplicate": "os.dup(1)",
    "fork": "os.fork()",
    "thread": "call_thread()",
    "execute": "os.execv('/bin/true', ['true'])",
    "spawn": "os.posix_spawn('/bin/true', ['true'], {})",
    "signal another": "os.kill(others[1], signal.SIGTERM)",
    "signal the init process": "os.kill(1, 0)",
    "signal itself": "os.kill(others[0], 0)",
    "raise the memory limit": "resource.setrlimit(resource.RLIMIT_DATA, (1 << 40, 1 << 40))",
    "raise the core limit": "resource.setrlimit(resource.RLIMIT_CORE, (1 << 30, 1 << 30))",
    "read limits": "resource.getrlimit(resource.RLIMIT_DATA)",
    "become root": "os.setuid(0)",
    "change the priority": "os.setpriority(os.PRIO_PROCESS, 0, -5)",
    "change its cores": "os.sched_setaffinity(0, {0})",
    "be dumpable": "confinement._prctl(confinement.PR_SET_DUMPABLE, 1)",
    "outlive its parent": "confinement._prctl(confinement.PR_SET_PDEATHSIG, 0)",
    "confine itself anew": "confinement.refuse_everything_else()",
    "shared memory": "os.memfd_create('x')",
    "the host's name": "os.uname()",
}

# By number, of x86_64: what Python has no name for
FORBIDDEN_NUMBERS = {
    "ptrace": (101, 16, 1, 0, 0),
    "process_vm_readv": (310, 1, 0, 0, 0, 0, 0),
    "process_vm_writev": (311, 1, 0, 0, 0, 0, 0),
    "clone": (56, 0, 0, 0, 0, 0),
    "clone3": (435, 0, 0),
    "vfork": (58,),
    "execveat": (322, 0, 0, 0, 0, 0),
    "connect": (42, 3, 0, 0),
    "bind": (49, 3, 0, 0),
    "listen": (50, 3, 1),
    "accept": (43, 3, 0, 0),
    "sendto": (44, 3, 0, 0, 0, 0, 0),
    "sendmsg": (46, 3, 0, 0),
    "recvmsg": (47, 3, 0, 0),
    "tgkill": (234, 1, 1, 0),
    "pidfd_open": (434, 1, 0),
    "pidfd_send_signal": (424, 0, 0, 0, 0),
    "openat2": (437, 0, 0, 0, 0),
    "open_by_handle_at": (304, 0, 0, 0),
    "io_uring_setup": (425, 1, 0),
    "bpf": (321, 0, 0, 0),
    "perf_event_open": (298, 0, 0, 0, 0, 0),
    "userfaultfd": (323, 0),
    "keyctl": (250, 0, 0, 0, 0, 0),
    "add_key": (248, 0, 0, 0, 0, 0),
    "unshare": (272, 0x10000000),
    "setns": (308, 0, 0),
    "mount": (165, 0, 0, 0, 0, 0),
    "shmget": (29, 0, 4096, 0o1600),
    "msgget": (68, 0, 0o1600),
    "inotify_init": (253,),
    "eventfd": (290, 0, 0),
    "timerfd_create": (283, 0, 0),
    "arch_prctl": (158, 0x1002, 0),
    "personality": (135, 0),
    "init_module": (175, 0, 0, 0),
    "reboot": (169, 0, 0, 0),
    "prlimit64": (302, 0, 2, 0, 0),
    "seccomp": (317, 0, 0, 0),
    "ioctl": (16, 1, 0x5401, 0),
    "fcntl": (72, 1, 0, 0),
    "getdents64": (217, 0, 0, 0),
    "a number of the x32 interface": (0x40000000 + 39,),
    "a number that nobody has": (100000,),
}


def run(body: str) -> object:
    """Run a script in a process of its own; return what it tells."""
    script = PRELUDE + textwrap.dedent(body)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, (done.returncode, done.stderr.decode()[-2000:])
    return json.loads(done.stdout)


def test_nothing_beyond_the_list_is_allowed() -> None:
    tries = ",\n".join(f"    {name!r}: lambda: {work}" for name, work in FORBIDDEN.items())
    results = run(f"""
def call_thread():
    try:
        threading.Thread(target=lambda: None).start()
    except RuntimeError:
        raise OSError(errno.EPERM, "") from None

tries = {{
{tries},
}}
confine()
told({{name: result(work) for name, work in tries.items()}})
""")
    assert results == dict.fromkeys(FORBIDDEN, "EPERM")


@x86_only
def test_nothing_beyond_the_list_is_allowed_by_number() -> None:
    results = run(f"""
confine()
told({{name: result(lambda: call(*numbers)) for name, numbers in {FORBIDDEN_NUMBERS!r}.items()}})
""")
    assert results == dict.fromkeys(FORBIDDEN_NUMBERS, "EPERM")


def test_what_it_needs_works() -> None:
    results = run("""
confine()
told({
    "memory": result(lambda: bytearray(4 << 20)),
    "random": result(lambda: os.getrandom(16)),
    "clock": result(lambda: __import__("time").monotonic()),
    "write": result(lambda: os.write(1, b"")),
})
""")
    assert results == dict.fromkeys(["memory", "random", "clock", "write"], "done")


def test_memory_ends_at_the_limit() -> None:
    results = run(f"""
def fill():
    kept = []
    while True:
        kept.append(bytearray(b"x") * (1 << 20))

confine()
told({{
    "one block": result(lambda: bytearray({BUDGET * 2})),
    "a mapping": result(lambda: mmap.mmap(-1, {BUDGET * 2}, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)),
    "many blocks": result(fill),
}})
""")
    assert results == dict.fromkeys(["one block", "a mapping", "many blocks"], "ENOMEM")


def test_it_has_no_rights_left() -> None:
    results = run("""
confinement.give_up_rights()
status = dict(line.rstrip("\\n").split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line)
told({
    "core": resource.getrlimit(resource.RLIMIT_CORE),
    "files": resource.getrlimit(resource.RLIMIT_FSIZE),
    "users": os.getresuid(), "groups": [*os.getresgid(), *os.getgroups()],
    "dumpable": libc.prctl(3, 0, 0, 0, 0), "new rights": 1 - libc.prctl(39, 0, 0, 0, 0), "rights": status["CapEff"],
})
""")
    assert isinstance(results, dict)
    own = [os.getuid()] * 3
    expected = [confinement.NOBODY] * 3 if os.geteuid() == 0 else own
    assert results["core"] == results["files"] == [0, 0]
    assert results["users"] == expected
    if os.geteuid() == 0:
        assert results["groups"] == expected
        assert int(results["rights"], 16) == 0
    assert (results["dumpable"], results["new rights"]) == (0, 0)


def test_a_thread_that_was_there_before_is_confined_too() -> None:
    results = run("""
begin, ended, found = threading.Event(), threading.Event(), []

def later():
    begin.wait()
    found.append(result(lambda: os.open("/etc/passwd", os.O_RDONLY)))
    ended.set()

threading.Thread(target=later, daemon=True).start()
confine()
begin.set()
ended.wait()
told(found)
""")
    assert results == ["EPERM"]


# --- a real runner ---


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FaztServer]:
    """A server with one site, whose function was called once."""
    folder = tmp_path / "site"
    (folder / "api").mkdir(parents=True)
    (folder / "api" / "hello.js").write_text("export default () => new Response('hello');")
    (folder / "index.html").write_text("page")
    made = FaztServer(tmp_path / "data.db", free_port(), {"FAZT_CONFINED_SECRET": "the server's own"}).start()
    try:
        made.cli("deploy", str(folder), "--site", "confined")
        assert made.get("/api/hello", host=HOST).body == b"hello"
        assert wait_until(lambda: len(runners(made)) >= 2)  # and a spare one
        yield made
    finally:
        assert made.process is not None
        made.process.kill()
        made.process.communicate()


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def runners(server: FaztServer) -> list[int]:
    return [runner for zygote in children(server.pid) for runner in children(zygote)]


def wait_until(what: Callable[[], bool], seconds: float = 10) -> bool:
    """Wait for something that no event tells of."""
    pause = threading.Event()
    until = time.monotonic() + seconds
    while not what():
        if time.monotonic() > until:
            return False
        pause.wait(0.02)
    return True


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def status_of(pid: int | str) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def test_a_runner_has_a_socket_and_nothing_else(server: FaztServer) -> None:
    for pid in runners(server):
        held = {int(path.name): os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()}
        assert re.fullmatch(r"socket:\[\d+\]", held.pop(3)), held
        assert held == dict.fromkeys([0, 1, 2], "/dev/null")


def test_a_runner_knows_nothing_of_the_server_s_environment(server: FaztServer) -> None:
    for pid in [*children(server.pid), *runners(server)]:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        names = {variable.partition(b"=")[0].decode() for variable in variables if variable}
        assert names <= {"PATH", "PYTHONPATH", "LD_LIBRARY_PATH"}
        assert str(server.database) not in Path(f"/proc/{pid}/cmdline").read_text()


def test_every_thread_of_a_runner_is_confined(server: FaztServer) -> None:
    for pid in runners(server):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            status = status_of(f"{pid}/task/{thread.name}")
            assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1")
            if os.geteuid() == 0:
                assert status["Uid"].split() == status["Gid"].split() == [str(confinement.NOBODY)] * 4
                assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
                assert not status["Groups"].strip()
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE)
        assert re.search(r"^Max file size +0 +0 ", limits, re.MULTILINE)
        assert re.search(r"^Max data size +\d+ +\d+ ", limits, re.MULTILINE)


def test_runners_end_with_their_zygote(server: FaztServer) -> None:
    (zygote,) = children(server.pid)
    before = runners(server)
    os.kill(zygote, signal.SIGKILL)
    assert wait_until(lambda: all(is_gone(pid) for pid in [zygote, *before]))
    assert wait_until(lambda: server.get("/api/hello", host=HOST).status == 200)
    assert zygote not in children(server.pid)


def test_everything_ends_with_the_server(server: FaztServer) -> None:
    processes = [*children(server.pid), *runners(server)]
    assert len(processes) >= 3
    os.kill(server.pid, signal.SIGKILL)
    assert wait_until(lambda: all(is_gone(pid) for pid in processes)), [pid for pid in processes if not is_gone(pid)]


def test_a_runner_that_works_ends_with_the_server(server: FaztServer, tmp_path: Path) -> None:
    loop = tmp_path / "site" / "api" / "loop.js"
    loop.write_text("export default () => { for (;;); };")
    server.cli("deploy", str(tmp_path / "site"), "--site", "confined")
    with server.connection() as connection:
        connection.request("GET", "/api/loop", headers={"Host": HOST})
        assert wait_until(lambda: any(is_running(pid) for pid in runners(server)))
        processes = [*children(server.pid), *runners(server)]
        os.kill(server.pid, signal.SIGKILL)
        assert wait_until(lambda: all(is_gone(pid) for pid in processes), 3), "a loop outlives the server"


def is_running(pid: int) -> bool:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return any(status_of(f"{pid}/task/{task.name}")["State"].startswith("R") for task in tasks)
