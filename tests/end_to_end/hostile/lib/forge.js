// Puts any question to the host: what an array becomes as JSON is decided by its prototype.

// Send `op` with `value`, and with bytes where some are given; the answer's value, for those without bytes.
export async function forge(fazt, op, value, bytes) {
  const name = bytes === undefined ? "files.list" : "kv.set";
  Array.prototype.toJSON = function () {
    if (this.length !== 2 || this[0] !== name) return this;
    delete Array.prototype.toJSON;
    return [op, value];
  };
  try {
    return await (bytes === undefined ? fazt.files.list("") : fazt.kv.set("key", bytes));
  } finally {
    delete Array.prototype.toJSON;
  }
}

// Do some work while objects become something else as JSON: `change` is given each that an answer is made of.
export function changeAnswer(change) {
  Object.prototype.toJSON = function () {
    if (!("statusText" in this && "body" in this)) return this;
    delete Object.prototype.toJSON;
    return change({ ...this });
  };
}
