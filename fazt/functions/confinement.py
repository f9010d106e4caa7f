"""What a runner may not do: no new files, sockets or processes, bounded memory, no core dumps.

Linux only: seccomp(2) with a list of what is allowed, resource limits, and another user where the server is root.
Rule: everything is in force before the first byte of a site's code is evaluated.
"""

import ctypes
import errno
import os
import platform
import resource
import signal
import struct
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_SET_MODE_FILTER = 1
SECCOMP_FILTER_FLAG_TSYNC = 1  # for the isolate's thread too, which is there already
ALLOW = 0x7FFF0000
REFUSE = 0x00050000 | errno.EPERM
LOAD, JUMP_IF_EQUAL, JUMP_IF_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06  # of classic BPF (linux/bpf_common.h)
NUMBER_AT, ARCH_AT = 0, 4  # in struct seccomp_data
X32_BIT = 0x40000000
NOBODY = 65534
NICENESS = 5
LIBC = ctypes.CDLL(None, use_errno=True)  # once, in the zygote: what a runner does after the fork is its own memory

# What V8 and libc need once everything is open. Not among them: open, socket, connect, clone, execve, kill, ptrace ...
_ALLOWED: dict[str, tuple[int, int, set[int]]] = {  # by machine: its mark, the number of seccomp(2), what is allowed
    "x86_64": (
        0xC000003E,
        317,
        {  # read, write, close, poll, mmap, mprotect, munmap, brk, rt_sig{action,procmask,return}, readv, writev
            *(0, 1, 3, 7, 9, 10, 11, 12, 13, 14, 15, 19, 20),
            # sched_yield, mremap, madvise, pause, nanosleep, setitimer, getpid, exit, gettimeofday, getrusage, sysinfo
            *(24, 25, 28, 34, 35, 38, 39, 60, 96, 98, 99),
            # sigaltstack, gettid, futex, sched_getaffinity, restart_syscall, clock_{gettime,getres,nanosleep}
            *(131, 186, 202, 204, 219, 228, 229, 230),
            # exit_group, ppoll, getrandom, membarrier, pkey_{mprotect,alloc,free}, rseq
            *(231, 271, 318, 324, 329, 330, 331, 334),
        },
    ),
    "aarch64": (
        0xC00000B7,
        277,
        {  # the same in the numbers of this machine
            *(57, 63, 64, 65, 66, 73, 93, 94, 98, 101, 103, 113, 114, 115, 123, 124, 128, 132, 134, 135, 139),
            *(165, 169, 172, 178, 179, 214, 215, 216, 222, 226, 233, 278, 283, 288, 289, 290, 293),
        },
    ),
}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def die_with_parent() -> None:
    """Be killed when the process that forked this one ends."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def stand_back() -> None:
    """Let the server go first on a core that both share: to be woken by it is no reason to interrupt it."""
    os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def give_up_rights() -> None:
    """Become nobody where this is root, write no core, gain no rights."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        die_with_parent()  # a change of user takes that away (prctl(2))
    _prctl(PR_SET_DUMPABLE, 0)
    _prctl(PR_SET_NO_NEW_PRIVS, 1)


def data_bytes() -> int:
    """Return the private writable memory of this process, as RLIMIT_DATA counts it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status has no VmData")


def limit_memory(more_bytes: int) -> None:
    """Let this process take `more_bytes` beyond what it has.

    RLIMIT_AS would be no use: V8 reserves far more address space than it ever fills.
    """
    limit = data_bytes() + more_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def is_supported() -> bool:
    """Tell whether the list of allowed calls is known for this kind of machine."""
    return platform.machine() in _ALLOWED


def refuse_everything_else() -> None:
    """Allow from now on only what `_ALLOWED` names, for all threads of this process.

    Raises: OSError where the kernel cannot, or the machine is of a kind that is not known here.
    """
    machine = platform.machine()
    if machine not in _ALLOWED:
        raise OSError(errno.ENOSYS, f"functions are not confined on {machine} yet")
    arch, number, allowed = _ALLOWED[machine]
    program = _program(arch, sorted(allowed))
    instructions = ctypes.create_string_buffer(program, len(program))
    filter_program = _Program(len(program) // 8, ctypes.addressof(instructions))
    if LIBC.syscall(number, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, ctypes.byref(filter_program)):
        raise OSError(ctypes.get_errno(), "seccomp refused the filter")


def _program(arch: int, allowed: list[int]) -> bytes:
    """Return the filter as classic BPF: eight bytes each of code, two jumps and a value."""

    def instruction(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
        return struct.pack("<HBBI", code, then, otherwise, value)

    return b"".join(
        [
            instruction(LOAD, ARCH_AT),
            instruction(JUMP_IF_EQUAL, arch, 1, 0),
            instruction(RETURN, REFUSE),
            instruction(LOAD, NUMBER_AT),
            instruction(JUMP_IF_AT_LEAST, X32_BIT, 0, 1),
            instruction(RETURN, REFUSE),
            *(instruction(JUMP_IF_EQUAL, each, 0, 1) + instruction(RETURN, ALLOW) for each in allowed),
            instruction(RETURN, REFUSE),
        ]
    )


def _prctl(option: int, value: int) -> None:
    if LIBC.prctl(option, value, 0, 0, 0):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
