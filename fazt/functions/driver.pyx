"""A runner's inside: one V8 isolate, and the loop that feeds it frames from a socket (through mini-racer's C library).

Everything after `serve` runs in C on the isolate's own thread: it reads a frame into memory that it shares with the
script, calls one JavaScript function, and writes what that put into the same memory. No Python runs in a runner, so it
shares almost all of its memory with the zygote that it was forked from. Timers belong to calls: where no call is open
none runs, whatever the script says.

Layout of the shared memory (little-endian; `js/src/wire.js` is its other side): control words, then IN, OUT, RANDOM.
Rule: one call of JavaScript handles one frame, so that its time belongs to the frame's call.
"""

import os
import sys
from collections.abc import Callable

from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset, strlen
from posix.signal cimport sigaction, sigaction_t
from posix.time cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime, timespec
from posix.unistd cimport _exit, pause, read, write


cdef extern from "<dlfcn.h>" nogil:
    void* dlopen(const char*, int)
    void* dlsym(void*, const char*)
    char* dlerror()
    int RTLD_NOW


cdef extern from "<time.h>" nogil:
    int CLOCK_THREAD_CPUTIME_ID
    int CLOCK_PROCESS_CPUTIME_ID


cdef extern from "<malloc.h>" nogil:
    int malloc_trim(size_t)


cdef extern from "<poll.h>" nogil:
    struct pollfd:
        int fd
        short events
        short revents

    int poll(pollfd*, unsigned long, int)
    short POLLIN
    short POLLOUT


cdef extern from "<sys/random.h>" nogil:
    ssize_t getrandom(void*, size_t, unsigned int)


cdef extern from "<sys/time.h>" nogil:
    struct timeval:
        long tv_sec
        long tv_usec

    struct itimerval:
        timeval it_interval
        timeval it_value

    int setitimer(int, const itimerval*, itimerval*)
    int ITIMER_PROF


cdef extern from "<semaphore.h>" nogil:
    ctypedef struct sem_t:
        pass
    int sem_init(sem_t*, int, unsigned int)
    int sem_wait(sem_t*)
    int sem_post(sem_t*)


cdef extern from "<signal.h>" nogil:
    ctypedef struct sigset_t:
        pass
    int sigemptyset(sigset_t*)
    int sigaddset(sigset_t*, int)
    int pthread_sigmask(int, const sigset_t*, sigset_t*)
    int SIG_BLOCK
    int SIGPROF


cdef extern from *:
    """
    #pragma pack(push, 1)
    typedef struct {
        union { void* pointer; char* bytes; int64_t integer; double number; } value;
        size_t length;
        uint8_t type;
    } fazt_value;
    #pragma pack(pop)
    typedef void (*fazt_callback)(uint64_t, fazt_value*);
    static void* fazt_pointer(fazt_value* value) { return value->value.pointer; }
    """
    ctypedef struct fazt_value:
        size_t length
        uint8_t type
    ctypedef void (*fazt_callback)(uint64_t, fazt_value*) noexcept nogil
    void* value_pointer "fazt_pointer" (fazt_value*) nogil


ctypedef void (*init_v8_t)(const char*, const char*) noexcept nogil
ctypedef uint64_t (*init_context_t)(fazt_callback) noexcept nogil
ctypedef void (*free_context_t)(uint64_t) noexcept nogil
ctypedef uint64_t (*eval_t)(uint64_t, fazt_value*, uint64_t) noexcept nogil
ctypedef void (*free_value_t)(uint64_t, fazt_value*) noexcept nogil
ctypedef fazt_value* (*string_t)(uint64_t, const char*, uint64_t, uint8_t) noexcept nogil
ctypedef fazt_value* (*make_callback_t)(uint64_t, uint64_t) noexcept nogil
ctypedef uint64_t (*call_t)(uint64_t, fazt_value*, fazt_value*, fazt_value*, uint64_t) noexcept nogil
ctypedef fazt_value* (*set_item_t)(uint64_t, fazt_value*, fazt_value*, fazt_value*) noexcept nogil
ctypedef void (*set_limit_t)(uint64_t, size_t) noexcept nogil
ctypedef bint (*is_reached_t)(uint64_t) noexcept nogil

cdef init_v8_t mr_init_v8
cdef init_context_t mr_init_context
cdef free_context_t mr_free_context
cdef eval_t mr_eval
cdef free_value_t mr_free_value
cdef string_t mr_alloc_string_val
cdef make_callback_t mr_make_js_callback
cdef call_t mr_call_function
cdef set_item_t mr_set_object_item
cdef set_limit_t mr_set_hard_memory_limit
cdef is_reached_t mr_hard_memory_limit_reached

# Types of values, as mini-racer numbers them
cdef enum:
    STRING = 5
    SHARED_ARRAY_BUFFER = 101
    FIRST_EXCEPTION = 200
    OUT_OF_MEMORY = 202

# Who is called back
cdef enum:
    EVALUATED = 1
    SLICED = 2
    SETTLED = 3
    BELL = 4
    HELD = 5
    COLLECTED = 6

# A frame's head, six 32-bit words: length of the rest, kind, call, seq, length of the JSON, microseconds of CPU
cdef enum:
    HEAD = 24
    TIMERS_DUE = 0  # kind of a frame that this driver makes itself
    KIND_START = 1
    KIND_FATAL = 7
    KIND_DONE = 6

# Words of the control part
cdef enum:
    W_KIND = 0
    W_CALL = 1
    W_SEQ = 2
    W_JSON = 3
    W_BYTES = 4
    W_ASCII = 5
    W_OUT = 8
    W_OP = 9
    W_COUNT = 10
    F_NOW = 8  # as 64-bit floats: milliseconds since `origin`
    F_DEADLINE = 9
    F_ORIGIN = 10
    OP_FLUSH = 1
    OP_NOW = 2
    OP_RANDOM = 3

cdef enum:
    LONGEST_WAIT_MS = 60000
    CONTROL_BYTES = 4096
    IN_BYTES = 2097152
    OUT_BYTES = 2097152
    RANDOM_BYTES = 65536
    SHORT_US = 20000  # nearer to the limit an alarm counts as having come in time
    BUFFER_BYTES = 65536
    COLLECT_AFTER = 500  # slices: fewer leave too little behind
    COLLECT_IDLE_MS = 2000
    CALLS = 4096

# The collection that gives back the most; V8_FLAGS in zygote.py give it its name. V8 lets nobody delete that: it stays
# as one more undefined name, and what it stood for is in nobody's reach.
COLLECT = b"""(() => {
  const collect = globalThis.__collect;
  globalThis.__collect = undefined;
  const wanted = { __proto__: null, type: "major", execution: "sync", flavor: "last-resort" };
  return () => { collect(wanted); };
})()"""

cdef double NEVER_MS = 1e15
cdef int sock = -1
cdef uint64_t context = 0
cdef sem_t evaluated
cdef fazt_value* answer = NULL
cdef fazt_value* slice_function
cdef fazt_value* undefined_value
cdef fazt_value* no_arguments
cdef fazt_value* nothing_function
cdef fazt_value* collect_function
cdef uint32_t slices = 0  # since garbage was collected because there was nothing else to do
cdef object held_work = None
cdef uint8_t buffer[BUFFER_BYTES]  # what was read and not taken yet
cdef ssize_t buffered_from = 0
cdef ssize_t buffered_to = 0
cdef uint8_t* shared = NULL
cdef uint8_t* out_region = NULL
cdef int32_t* words = NULL
cdef double* floats = NULL
cdef double origin_ms = 0
cdef uint32_t cpu_call[CALLS]
cdef uint64_t cpu_us[CALLS]
cdef uint64_t cpu_cap_us = 0
cdef uint64_t slice_began_us = 0
cdef uint64_t alarm_set_us = 0
cdef int64_t open_calls = 0  # begun, and not said to have ended


cdef double clock_ms(int which) noexcept nogil:
    cdef timespec t
    clock_gettime(which, &t)
    return t.tv_sec * 1e3 + t.tv_nsec / 1e6


cdef uint64_t clock_us(int which) noexcept nogil:
    cdef timespec t
    clock_gettime(which, &t)
    return <uint64_t>t.tv_sec * 1000000 + <uint64_t>t.tv_nsec // 1000


cdef void send_all(const uint8_t* data, size_t length) noexcept nogil:
    """Write to the server, which never stops reading; end the process where it is gone."""
    cdef ssize_t n
    cdef pollfd waiting
    while length:
        n = write(sock, data, length)
        if n > 0:
            data += n
            length -= n
        elif errno == EAGAIN:
            waiting.fd = sock
            waiting.events = POLLOUT
            poll(&waiting, 1, -1)
        elif errno != EINTR:
            _exit(0)


cdef void fill() noexcept nogil:
    """Read what has come into the empty buffer, waiting for it; end the process where the server is gone."""
    global buffered_from, buffered_to
    cdef ssize_t n
    buffered_from = buffered_to = 0
    while True:
        n = read(sock, buffer, BUFFER_BYTES)
        if n > 0:
            buffered_to = n
            return
        if n == 0 or errno != EINTR:
            _exit(0)


cdef void receive_all(uint8_t* data, size_t length) noexcept nogil:
    """Take bytes from the buffer, and then from the socket."""
    global buffered_from
    cdef size_t n
    while length:
        if buffered_from == buffered_to:
            fill()
        n = min(length, <size_t>(buffered_to - buffered_from))
        memcpy(data, buffer + buffered_from, n)
        buffered_from += n
        data += n
        length -= n


cdef void fatal(const char* reason) noexcept nogil:
    """Tell the server why this runner ends, and end it. Nothing here allocates: a signal handler calls it too."""
    cdef uint32_t head[6]
    head[0] = <uint32_t>strlen(reason)
    head[1] = KIND_FATAL
    head[2] = <uint32_t>words[W_CALL]
    head[3] = 0
    head[4] = head[0]
    head[5] = <uint32_t>(clock_us(CLOCK_THREAD_CPUTIME_ID) - slice_began_us)
    send_all(<uint8_t*>head, HEAD)
    send_all(<const uint8_t*>reason, head[0])
    _exit(70)


cdef void on_alarm(int number) noexcept nogil:
    """End a slice that took too long. The alarm may have been set for an earlier one."""
    cdef uint64_t used = clock_us(CLOCK_THREAD_CPUTIME_ID) - slice_began_us
    if used + SHORT_US >= cpu_cap_us:
        fatal(b'{"reason":"cpu"}')
    set_alarm(cpu_cap_us - used)


cdef void set_alarm(uint64_t us) noexcept nogil:
    """Have the kernel send a signal when this process has run for so long."""
    cdef itimerval alarm
    memset(&alarm, 0, sizeof(alarm))
    alarm.it_value.tv_sec = us // 1000000
    alarm.it_value.tv_usec = us % 1000000
    setitimer(ITIMER_PROF, &alarm, NULL)


cdef void watch_slice() noexcept nogil:
    """See to it that an alarm is set: one lasts for many slices, as long as it still has most of its time."""
    global alarm_set_us
    if slice_began_us - alarm_set_us > cpu_cap_us // 2 or alarm_set_us == 0:
        alarm_set_us = slice_began_us
        set_alarm(cpu_cap_us)


cdef void flush() noexcept nogil:
    """Send the frames that the script wrote, each with the CPU time of its call so far."""
    global open_calls
    cdef uint32_t used = <uint32_t>words[W_OUT]
    cdef uint32_t at = 0
    cdef uint32_t* head
    cdef uint64_t so_far
    words[W_OUT] = 0
    if used == 0:
        return
    if used > OUT_BYTES:
        fatal(b'{"reason":"internal"}')
    so_far = clock_us(CLOCK_THREAD_CPUTIME_ID) - slice_began_us
    while at + HEAD <= used:
        head = <uint32_t*>(out_region + at)
        head[5] = <uint32_t>((cpu_us[head[2] % CALLS] if cpu_call[head[2] % CALLS] == head[2] else 0)
                             + (so_far if head[2] == <uint32_t>words[W_CALL] else 0))
        if head[0] > used - at - HEAD:
            break
        if head[1] == KIND_DONE and open_calls:
            open_calls -= 1
        at += HEAD + head[0]
    send_all(out_region, used)


cdef void on_bell(uint64_t number) noexcept nogil:
    """Do at once what the script asks for in the middle of a slice."""
    cdef int op = words[W_OP]
    cdef int count
    if op == OP_FLUSH:
        flush()
    elif op == OP_NOW:
        floats[F_NOW] = clock_ms(CLOCK_MONOTONIC) - origin_ms
    elif op == OP_RANDOM:
        count = words[W_COUNT]
        if 0 < count <= RANDOM_BYTES:
            getrandom(out_region + OUT_BYTES, count, 0)


cdef bint timer_is_due() noexcept nogil:
    """Wait until a frame comes or a timer is due; tell whether it is a timer."""
    cdef pollfd waiting
    cdef double left
    waiting.fd = sock
    waiting.events = POLLIN
    while buffered_from == buffered_to and open_calls and floats[F_DEADLINE] < NEVER_MS:
        left = floats[F_DEADLINE] - (clock_ms(CLOCK_MONOTONIC) - origin_ms)
        if poll(&waiting, 1, 0 if left <= 0 else LONGEST_WAIT_MS if left > LONGEST_WAIT_MS else <int>left + 1) > 0:
            return False
        if left <= 0:
            return True
    return False


cdef bint is_time_to_collect() noexcept nogil:
    """Wait for a frame; tell whether none came for a while, and there may be much garbage."""
    cdef pollfd waiting
    if open_calls or slices < COLLECT_AFTER or buffered_from != buffered_to:
        return False
    waiting.fd = sock
    waiting.events = POLLIN
    return poll(&waiting, 1, COLLECT_IDLE_MS) == 0


cdef void next_slice() noexcept nogil:
    """Have the script handle the next frame, or a timer that is due."""
    global slices
    cdef uint32_t head[6]
    if is_time_to_collect():
        slices = 0
        mr_call_function(context, collect_function, undefined_value, no_arguments, COLLECTED)
        return
    slices += 1
    memset(head, 0, HEAD)  # kind TIMERS_DUE
    if not timer_is_due():
        receive_all(<uint8_t*>head, HEAD)
        if head[0] > IN_BYTES or head[4] > head[0]:
            fatal(b'{"reason":"internal"}')
        receive_all(shared + CONTROL_BYTES, head[0])
    take_frame(head)
    mr_call_function(context, slice_function, undefined_value, no_arguments, SLICED)


cdef void take_frame(uint32_t* head) noexcept nogil:
    global slice_began_us, open_calls
    cdef uint8_t bits = 0
    cdef uint32_t i
    if head[1] == KIND_START:
        open_calls += 1
    for i in range(head[4]):
        bits |= shared[CONTROL_BYTES + i]
    words[W_KIND] = head[1]
    words[W_CALL] = head[2]
    words[W_SEQ] = head[3]
    words[W_JSON] = head[4]
    words[W_BYTES] = head[0] - head[4]
    words[W_ASCII] = bits < 128
    floats[F_NOW] = clock_ms(CLOCK_MONOTONIC) - origin_ms
    slice_began_us = clock_us(CLOCK_THREAD_CPUTIME_ID)
    watch_slice()


cdef void on_sliced(fazt_value* value) noexcept nogil:
    """Wait for the microtasks of a slice: the library runs them when this returns, before the next function."""
    check(value)
    mr_call_function(context, nothing_function, undefined_value, no_arguments, SETTLED)


cdef void check(fazt_value* value) noexcept nogil:
    """Let go of what a function returned; end the runner where it threw, which ours never do by themselves."""
    if value.type >= FIRST_EXCEPTION:
        # The library stops a script that has taken too much; a function's end does not say that this was why.
        if value.type == OUT_OF_MEMORY or mr_hard_memory_limit_reached(context):
            fatal(b'{"reason":"memory"}')
        fatal(b'{"reason":"internal"}')
    mr_free_value(context, value)


cdef void on_settled(fazt_value* value) noexcept nogil:
    """Take what a slice did: its time, and what it wrote."""
    cdef uint32_t call, slot
    cdef uint64_t took
    check(value)
    if mr_hard_memory_limit_reached(context):
        fatal(b'{"reason":"memory"}')  # among the microtasks, which end without a word then
    flush()
    # The script names the call whose timer ran; for a frame it is the frame's.
    call = <uint32_t>words[W_CALL]
    slot = call % CALLS
    took = clock_us(CLOCK_THREAD_CPUTIME_ID) - slice_began_us
    if cpu_call[slot] != call:
        cpu_call[slot] = call
        cpu_us[slot] = 0
    cpu_us[slot] += took
    if cpu_us[slot] > cpu_cap_us and call:
        fatal(b'{"reason":"cpu"}')
    next_slice()


cdef void on_callback(uint64_t number, fazt_value* value) noexcept nogil:
    """Be called by the library on the isolate's thread."""
    global answer
    if number == SLICED:
        on_sliced(value)
    elif number == SETTLED:
        on_settled(value)
    elif number == BELL:
        on_bell(number)
        mr_free_value(context, value)
    elif number == COLLECTED:
        mr_free_value(context, value)
        malloc_trim(0)
        next_slice()
    elif number == HELD:
        mr_free_value(context, value)
        with gil:
            do_held_work()
    else:
        answer = value
        sem_post(&evaluated)


cdef void do_held_work() noexcept:
    """Do Python's work on the isolate's thread; what is forked in it returns from here with the isolate at hand."""
    global held_work
    work = held_work
    held_work = None
    try:
        work()
    except BaseException as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        _exit(1)
    if sock == -1:  # the process in which the isolate was made: nothing is left to do
        _exit(0)


cdef fazt_value* evaluate(const char* source, size_t length) except NULL:
    """Evaluate a script and return its value; raises where it throws."""
    cdef fazt_value* code = mr_alloc_string_val(context, source, length, STRING)
    mr_eval(context, code, EVALUATED)
    with nogil:
        sem_wait(&evaluated)
    mr_free_value(context, code)
    if answer.type >= FIRST_EXCEPTION:
        raise RuntimeError((<char*>value_pointer(answer))[: answer.length].decode("utf-8", "replace"))
    return answer


def load(library: str, unicode_data: str, flags: str) -> None:
    """Load mini-racer's library and start V8; to be called once in a process.

    Raises: OSError where the library cannot be loaded.
    """
    global mr_init_v8, mr_init_context, mr_free_context, mr_eval, mr_free_value, mr_alloc_string_val
    global mr_make_js_callback, mr_call_function, mr_set_object_item, mr_set_hard_memory_limit
    global mr_hard_memory_limit_reached
    cdef void* handle = dlopen(os.fsencode(library), RTLD_NOW)
    if handle == NULL:
        raise OSError(dlerror().decode())
    mr_init_v8 = <init_v8_t>dlsym(handle, "mr_init_v8")
    mr_init_context = <init_context_t>dlsym(handle, "mr_init_context")
    mr_free_context = <free_context_t>dlsym(handle, "mr_free_context")
    mr_eval = <eval_t>dlsym(handle, "mr_eval")
    mr_free_value = <free_value_t>dlsym(handle, "mr_free_value")
    mr_alloc_string_val = <string_t>dlsym(handle, "mr_alloc_string_val")
    mr_make_js_callback = <make_callback_t>dlsym(handle, "mr_make_js_callback")
    mr_call_function = <call_t>dlsym(handle, "mr_call_function")
    mr_set_object_item = <set_item_t>dlsym(handle, "mr_set_object_item")
    mr_set_hard_memory_limit = <set_limit_t>dlsym(handle, "mr_set_hard_memory_limit")
    mr_hard_memory_limit_reached = <is_reached_t>dlsym(handle, "mr_hard_memory_limit_reached")
    for function in (
        mr_hard_memory_limit_reached != NULL,
        mr_init_v8 != NULL, mr_init_context != NULL, mr_free_context != NULL, mr_eval != NULL, mr_free_value != NULL,
        mr_alloc_string_val != NULL, mr_make_js_callback != NULL, mr_call_function != NULL,
        mr_set_object_item != NULL, mr_set_hard_memory_limit != NULL,
    ):
        if not function:
            raise OSError(f"{library} is another version of mini-racer's library than this driver is for")
    mr_init_v8(flags.encode(), os.fsencode(unicode_data))
    sem_init(&evaluated, 0, 0)


def prepare(source: bytes) -> None:
    """Make the isolate and evaluate `source`, whose value is the function that handles a frame.

    The script finds `__sab` (the shared memory) and `__bell` (what has this driver look into it) among its globals.
    """
    global context, shared, words, floats, out_region, origin_ms, slice_function, undefined_value, no_arguments
    global nothing_function, collect_function
    context = mr_init_context(on_callback)
    cdef size_t total = CONTROL_BYTES + IN_BYTES + OUT_BYTES + RANDOM_BYTES
    code = f"globalThis.__sab = new SharedArrayBuffer({total})".encode()
    cdef fazt_value* memory = evaluate(code, len(code))
    if memory.type != SHARED_ARRAY_BUFFER or memory.length < total:
        raise RuntimeError("the library gave no shared memory")
    shared = <uint8_t*>value_pointer(memory)
    out_region = shared + CONTROL_BYTES + IN_BYTES
    words = <int32_t*>shared
    floats = <double*>shared
    origin_ms = clock_ms(CLOCK_MONOTONIC)
    floats[F_ORIGIN] = clock_ms(CLOCK_REALTIME)
    floats[F_DEADLINE] = float("inf")
    cdef fazt_value* everything = evaluate(b"globalThis", 10)
    mr_set_object_item(
        context, everything, mr_alloc_string_val(context, b"__bell", 6, STRING), mr_make_js_callback(context, BELL)
    )
    undefined_value = evaluate(b"undefined", 9)
    no_arguments = evaluate(b"[]", 2)
    nothing_function = evaluate(b"() => {}", 8)
    collect_function = evaluate(COLLECT, len(COLLECT))
    slice_function = evaluate(source, len(source))
    malloc_trim(0)  # what it took to compile the script


def hold(work: Callable[[], None]) -> None:
    """Do `work` on the thread of the isolate, which a process keeps that is forked there; never returns.

    Where `work` returns in such a process, which `bound` has been called in, its isolate handles frames from then on.
    """
    global held_work
    held_work = work
    with nogil:
        mr_call_function(context, nothing_function, undefined_value, no_arguments, HELD)
        while True:
            pause()


def bound(socket: int, *, heap_bytes: int, cpu_cap_s: float) -> None:
    """Set the limits of the isolate, and where its frames come from."""
    global sock, cpu_cap_us
    sock = socket
    cpu_cap_us = <uint64_t>(cpu_cap_s * 1e6)
    mr_set_hard_memory_limit(context, heap_bytes)


def serve_held() -> None:
    """Begin to handle frames, in a process that was forked on the isolate's thread, as soon as that returns."""
    cdef sigaction_t action
    memset(&action, 0, sizeof(action))
    action.sa_handler = on_alarm
    sigaction(SIGPROF, &action, NULL)
    mr_call_function(context, slice_function, undefined_value, no_arguments, SLICED)


def serve() -> None:
    """Handle frames until the server hangs up; never returns."""
    cdef sigaction_t action
    memset(&action, 0, sizeof(action))
    action.sa_handler = on_alarm
    sigaction(SIGPROF, &action, NULL)
    # The alarm is for the isolate's thread, whose time it asks for; it was started before this mask.
    cdef sigset_t mask
    sigemptyset(&mask)
    sigaddset(&mask, SIGPROF)
    pthread_sigmask(SIG_BLOCK, &mask, NULL)
    with nogil:
        mr_call_function(context, slice_function, undefined_value, no_arguments, SLICED)
        while True:
            pause()
