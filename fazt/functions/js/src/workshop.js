// What a process for compiling evaluates: takes the text of a file, answers what the compiler says of it.
//
// Without the driver's memory it only defines `faztCompile`, so that tests can call it.

import "./compiler.js";
import { Kind, openWire } from "./wire.js";

const PIECE = 524288; // characters of an answer in one frame: at most three bytes each
const compile = globalThis.faztCompile;

if (globalThis.__sab !== undefined) {
  const wire = openWire(globalThis.__sab, globalThis.__bell, decode);
  let parts = [];
  let ready = false;

  globalThis.__slice = () => {
    if (!ready) {
      ready = true;
      wire.write(Kind.READY, 0, 0);
    } else if (wire.kind() === Kind.PROGRAM) {
      parts.push(wire.bytes());
    } else if (wire.kind() === Kind.START) {
      const source = decode(join(parts));
      parts = [];
      const answer = compile(wire.value().path, source);
      for (let at = 0; at < answer.length || at === 0; at += PIECE) {
        wire.write(Kind.RESULT, wire.call(), 0, {}, ascii(answer.slice(at, at + PIECE)));
      }
      wire.write(Kind.DONE, wire.call(), 0);
    }
  };
}

// Half of a surrogate pair may stand at the end of a piece: what is not ASCII is escaped, as JSON allows.
function ascii(json) {
  return json.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function join(pieces) {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

// UTF-8 that the host has checked already.
function decode(bytes) {
  let text = "";
  let units = [];
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at++];
    let code = first;
    if (first >= 0xf0) code = ((first & 7) << 18) | ((bytes[at++] & 63) << 12) | ((bytes[at++] & 63) << 6) | (bytes[at++] & 63);
    else if (first >= 0xe0) code = ((first & 15) << 12) | ((bytes[at++] & 63) << 6) | (bytes[at++] & 63);
    else if (first >= 0x80) code = ((first & 31) << 6) | (bytes[at++] & 63);
    units.push(code);
    if (units.length === 4096) {
      text += String.fromCodePoint(...units);
      units = [];
    }
  }
  return text + String.fromCodePoint(...units);
}
