// The script's side of the memory that it shares with the driver (`fazt/functions/driver.pyx` is the other side).
//
// Owns the layout: control words, then IN (the frame to be handled), OUT (frames to be sent), RANDOM.
// Rule: what user code does to the prototypes of its own isolate must not reach what is kept here. No method is called
// on the views of the shared memory that looks something up on them: `subarray` and `slice` give their buffer to
// whatever `constructor[Symbol.species]` says, and `fromCharCode.apply` asks for a `length`.

const HEAD = 24;
const CONTROL_BYTES = 4096;
const IN_BYTES = 2097152;
const OUT_BYTES = 2097152;
const RANDOM_BYTES = 65536;
const [KIND, CALL, SEQ, JSON_BYTES, BYTES, ASCII, OUT, OP, COUNT] = [0, 1, 2, 3, 4, 5, 8, 9, 10];
const [NOW, DEADLINE, ORIGIN] = [8, 9, 10];
const [FLUSH, READ_CLOCK, RANDOM] = [1, 2, 3];
const PIECE = 8192; // characters made by one call; more could overflow the stack

// Both sides of a frame; kinds up to 15 come from the server
export const Kind = {
  TIMERS_DUE: 0, START: 1, REPLY: 2, REFUSED: 3, ABORT: 4, PROGRAM: 5,
  DONE: 6, FATAL: 7, RESULT: 16, ASK: 17, FAILED: 18, LOG: 19, READY: 20,
};

const { apply } = Reflect;
const { fromCharCode } = String;
const { parse, stringify } = JSON;
const charCodeAt = Function.prototype.call.bind(String.prototype.charCodeAt);
const setBytes = Function.prototype.call.bind(Object.getPrototypeOf(Uint8Array.prototype).set);
const Bytes = Uint8Array;
const RangeErrorClass = RangeError;

export function openWire(sab, bell, decodeUtf8) {
  const words = new Int32Array(sab, 0, CONTROL_BYTES / 4);
  const floats = new Float64Array(sab, 0, CONTROL_BYTES / 8);
  const outgoing = new Bytes(sab, CONTROL_BYTES + IN_BYTES, OUT_BYTES);
  const heads = new DataView(sab, CONTROL_BYTES + IN_BYTES, OUT_BYTES);
  const setUint32 = Function.prototype.call.bind(DataView.prototype.setUint32);

  function ask(op) {
    words[OP] = op;
    bell();
  }

  // Bytes of the shared memory as an array of its own: nobody gets from it to where it came from.
  function copyOf(from, length) {
    const copy = new Bytes(length);
    setBytes(copy, new Bytes(sab, from, length));
    return copy;
  }

  function ascii(from, to) {
    let text = "";
    for (let at = from; at < to; at += PIECE) {
      text += apply(fromCharCode, null, copyOf(CONTROL_BYTES + at, at + PIECE < to ? PIECE : to - at));
    }
    return text;
  }

  // Write a string as UTF-8 and return where it ends; -1 where there is no room.
  function writeText(text, at) {
    const length = text.length;
    for (let i = 0; i < length; i++) {
      let code = charCodeAt(text, i);
      if (code < 0x80) {
        if (at >= OUT_BYTES) return -1;
        outgoing[at++] = code;
        continue;
      }
      if (at + 4 > OUT_BYTES) return -1;
      if (code < 0x800) {
        outgoing[at++] = 0xc0 | (code >> 6);
      } else {
        if (code >= 0xd800 && code < 0xe000) {
          const low = code < 0xdc00 && i + 1 < length ? charCodeAt(text, i + 1) : 0;
          if (low >= 0xdc00 && low < 0xe000) {
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            i++;
          } else {
            code = 0xfffd; // half of a pair
          }
        }
        if (code < 0x10000) {
          outgoing[at++] = 0xe0 | (code >> 12);
        } else {
          outgoing[at++] = 0xf0 | (code >> 18);
          outgoing[at++] = 0x80 | ((code >> 12) & 0x3f);
        }
        outgoing[at++] = 0x80 | ((code >> 6) & 0x3f);
      }
      outgoing[at++] = 0x80 | (code & 0x3f);
    }
    return at;
  }

  // Put a frame behind those that wait to be sent; `body` is a Uint8Array, a string or undefined.
  function tryWrite(kind, call, seq, json, body) {
    const start = words[OUT];
    if (start + HEAD > OUT_BYTES) return false;
    const bodyAt = writeText(json, start + HEAD);
    if (bodyAt < 0) return false;
    let end = bodyAt;
    if (typeof body === "string") {
      end = writeText(body, bodyAt);
      if (end < 0) return false;
    } else if (body !== undefined) {
      end = bodyAt + body.byteLength;
      if (end > OUT_BYTES) return false;
      setBytes(outgoing, body, bodyAt);
    }
    setUint32(heads, start, end - start - HEAD, true);
    setUint32(heads, start + 4, kind, true);
    setUint32(heads, start + 8, call, true);
    setUint32(heads, start + 12, seq, true);
    setUint32(heads, start + 16, bodyAt - start - HEAD, true);
    setUint32(heads, start + 20, 0, true);
    words[OUT] = end;
    return true;
  }

  return {
    // The frame to be handled
    kind: () => words[KIND],
    call: () => words[CALL] >>> 0,
    seq: () => words[SEQ] >>> 0,
    value() {
      const length = words[JSON_BYTES];
      if (length === 0) return undefined;
      return parse(words[ASCII] ? ascii(0, length) : decodeUtf8(copyOf(CONTROL_BYTES, length)));
    },
    bytes: () => copyOf(CONTROL_BYTES + words[JSON_BYTES], words[BYTES]),
    hasBytes: () => words[BYTES] > 0,

    // Frames to be sent
    write(kind, call, seq, value, body) {
      const json = value === undefined ? "" : (stringify(value) ?? "null"); // nothing: a toJSON that somebody added
      if (tryWrite(kind, call, seq, json, body)) return;
      ask(FLUSH);
      if (!tryWrite(kind, call, seq, json, body)) throw new RangeErrorClass("more than 2 MB at once");
    },
    flush: () => ask(FLUSH),
    bill(call) {
      words[CALL] = call; // whose time this slice is
    },

    // The clock and chance
    now() {
      ask(READ_CLOCK);
      return floats[NOW];
    },
    sliceBegan: () => floats[NOW],
    timeOrigin: floats[ORIGIN],
    setDeadline(at) {
      floats[DEADLINE] = at;
    },
    random(count) {
      if (count > RANDOM_BYTES) throw new RangeErrorClass(`more than ${RANDOM_BYTES} random bytes at once`);
      words[COUNT] = count;
      ask(RANDOM);
      return copyOf(CONTROL_BYTES + IN_BYTES + OUT_BYTES, count);
    },
  };
}
