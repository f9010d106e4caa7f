// The heart of an isolate: takes one frame at a time, runs what it asks for, and keeps apart which call asks for what.
//
// Promises do not tell whose they are. But whatever runs in a slice runs because of that slice's frame (a request, an
// answer of the host, a timer), and all microtasks end before the next one: so `current` is the call that asks.
// Rule: `host` and the calls never come into the hands of user code, whatever it does to built-ins: who holds a call could
// have its time billed to another. And nothing here says which site it is: the host knows.

import { installWeb } from "./web/index.js";
import { createLoader } from "./modules.js";
import { makeFazt } from "./bridge/index.js";
import { installConsole } from "./console.js";
import { runExport, runHttp } from "./handlers.js";
import { privateMap } from "./private.js";
import { installRandom } from "./random.js";
import { installTimers } from "./timers.js";
import { Kind, openWire } from "./wire.js";

const MOST_WAITING = 10000; // answers of the host that an isolate may wait for

const OURS = "fazt:runtime"; // the name of this script in stacks: see fazt/functions/zygote.py

const NativePromise = Promise;
const resolved = Function.prototype.call.bind(Promise.resolve, Promise);
const then = Function.prototype.call.bind(Promise.prototype.then);

export class HostError extends Error {
  constructor(code, message) {
    super(message);
    this.name = "FaztError";
    this.code = code;
  }
}

// One call under way: a request, a job's run or an event of a room.
class Call {
  constructor(id) {
    this.id = id;
    this.open = 1; // the handler itself, and every promise given to waitUntil
    this.controller = null;
    this.loggedBytes = 0;
    this.loggedLines = 0;
    this.failed = false;
  }

  get signal() {
    this.controller ??= new AbortController();
    return this.controller.signal;
  }
}

// A call that waits would hold up all others of its isolate; browsers refuse it on a page's thread too.
function installAtomics() {
  Object.defineProperty(Atomics, "wait", {
    value: function wait() {
      throw new TypeError("Atomics.wait cannot be called in a function; there is Atomics.waitAsync");
    },
    writable: true, configurable: true, enumerable: false,
  });
}

// A stack without the frames of the platform, which tell an author nothing.
function ownFrames(stack) {
  return stack.split("\n").filter((line) => !line.includes(OURS)).join("\n");
}

export function startKernel(sab, bell) {
  let web = null;
  const wire = openWire(sab, bell, (bytes) => web.decodeUtf8(bytes));
  const calls = privateMap();
  const waiting = privateMap(); // seq -> what waits for an answer of the host
  const program = { loader: null, parts: [], env: {}, site: {}, fazt: null };
  let current = null;
  let seq = 0;

  const host = {
    call(op, value, bytes) {
      return new NativePromise((resolve, reject) => {
        if (current === null) throw new HostError("call_ended", `${op}: the call that this belongs to has ended`);
        if (waiting.size >= MOST_WAITING) throw new HostError("too_many", `${op}: too much is under way already`);
        seq = (seq + 1) >>> 0;
        wire.write(Kind.ASK, current.id, seq, [op, value ?? null], bytes);
        waiting.set(seq, { resolve, reject, call: current });
      });
    },
    random: (count) => wire.random(count),
    now: () => wire.now(),
    timeOrigin: wire.timeOrigin,
    addTask(promise) {
      if (current === null) throw new HostError("call_ended", "waitUntil: the call that this belongs to has ended");
      const call = current;
      call.open++;
      let ended = false; // a promise of a class of somebody's own may call back more than once
      const settle = (error, failed) => {
        if (ended) return;
        ended = true;
        if (failed) log("error", `waitUntil: ${shown(error)}`, call);
        end(call);
      };
      then(resolved(promise), () => settle(null, false), (error) => settle(error, true));
    },
  };

  function log(level, text, call = current) {
    wire.write(Kind.LOG, call === null ? 0 : call.id, 0, { level }, text);
    wire.flush(); // what is logged before an endless loop must be seen
  }

  installAtomics();
  installRandom(host.random);
  const timers = installTimers({
    current: () => current,
    sliceBegan: wire.sliceBegan,
    now: wire.now,
    setDeadline: wire.setDeadline,
    failed: (error) => log("error", `in a timer: ${shown(error)}`),
  });
  web = installWeb(host);
  web.setErrorReporter((error) => log("error", `uncaught: ${shown(error)}`));
  installConsole({ inspect: web.inspect, now: host.now, write: log, current: () => current });

  // One thing of a call has ended; with the last one the call itself has.
  function end(call) {
    if (--call.open > 0) return;
    calls.delete(call.id);
    timers.forget(call);
    wire.write(Kind.DONE, call.id, 0);
    if (current === call) current = null;
  }

  function fail(call, error) {
    call.failed = true;
    try {
      wire.write(Kind.FAILED, call.id, 0, told(error));
    } catch {
      wire.write(Kind.FAILED, call.id, 0); // what was thrown throws when it is looked at
    }
  }

  function told(error) {
    const stack = error !== null && typeof error === "object" ? error.stack : undefined;
    if (typeof stack !== "string") return { name: "", message: shown(error).slice(0, 10000), stack: "", code: null };
    const { name, message, code } = error;
    return {
      name: String(name),
      message: String(message).slice(0, 10000),
      stack: ownFrames(stack).slice(0, 20000),
      code: typeof code === "string" ? code : null,
    };
  }

  function shown(value) {
    try {
      return web.inspect(value);
    } catch {
      return "a value that throws when it is looked at";
    }
  }

  async function start(call, value, bytes) {
    try {
      const run = value.kind === "http" ? runHttp : runExport;
      await run({ call, value, bytes, program, host, web, wire, resume });
    } catch (error) {
      current = call;
      fail(call, error);
    }
    current = call;
    end(call);
  }

  // After an await the slice may be another call's: whoever goes on for a call says so.
  function resume(call) {
    current = call;
  }

  function takeProgram(value, bytes) {
    if (value.part !== undefined) {
      program.parts.push({ path: value.part, first: value.first, bytes });
      return;
    }
    const modules = new Map();
    let pieces = [];
    for (const part of program.parts) {
      pieces.push(part.bytes);
      if (part.first) pieces = [part.bytes];
      const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
      let at = 0;
      for (const piece of pieces) {
        whole.set(piece, at);
        at += piece.length;
      }
      modules.set(part.path, { code: whole });
    }
    for (const entry of modules.values()) entry.code = web.decodeUtf8(entry.code);
    program.parts = [];
    program.loader = createLoader(modules);
    program.env = Object.freeze({ ...value.env, ...value.secrets });
    program.fazt = makeFazt(host, value.site, value);
  }

  function handle(kind) {
    if (kind === Kind.REPLY || kind === Kind.REFUSED) {
      const entry = waiting.get(wire.seq());
      if (entry === undefined) return;
      waiting.delete(wire.seq());
      current = calls.has(entry.call.id) ? entry.call : null;
      const value = wire.value();
      if (kind === Kind.REPLY) entry.resolve({ value, bytes: wire.hasBytes() ? wire.bytes() : undefined });
      else entry.reject(new HostError(value.code, value.message));
    } else if (kind === Kind.START) {
      const call = new Call(wire.call());
      calls.set(call.id, call);
      current = call;
      start(call, wire.value(), wire.hasBytes() ? wire.bytes() : undefined);
    } else if (kind === Kind.TIMERS_DUE) {
      current = timers.owner();
      wire.bill(current === null ? 0 : current.id);
      timers.runNext();
    } else if (kind === Kind.ABORT) {
      const call = calls.get(wire.call());
      if (call === undefined) return;
      current = call;
      call.signal; // made, so that whoever asks for it later finds it aborted
      call.controller.abort(new DOMException(wire.value().reason, "AbortError"));
    } else if (kind === Kind.PROGRAM) {
      takeProgram(wire.value(), wire.bytes());
    }
  }

  let ready = false;
  return function slice() {
    if (!ready) {
      ready = true;
      wire.write(Kind.READY, 0, 0);
      return;
    }
    current = null;
    handle(wire.kind());
  };
}
