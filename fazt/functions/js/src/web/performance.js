// performance: now, timeOrigin. Not here: marks, measures, entries.
//
// Rule: the clock is the host's.

import { EventTarget } from "./events.js";
import { defineInterface } from "./webidl.js";

export function makePerformance(host) {
  const SECRET = {};
  class Performance extends EventTarget {
    #host;

    constructor(secret) {
      if (secret !== SECRET) throw new TypeError("new Performance: there is one, globalThis.performance");
      super();
      this.#host = host;
    }

    now() {
      return this.#host.now();
    }

    get timeOrigin() {
      return this.#host.timeOrigin;
    }

    toJSON() {
      return { timeOrigin: this.#host.timeOrigin };
    }
  }
  defineInterface(Performance, "Performance");
  const performance = new Performance(SECRET);
  // Both globals come from one call, whichever is looked at first
  Object.defineProperty(globalThis, "Performance", { value: Performance, writable: true, configurable: true });
  Object.defineProperty(globalThis, "performance", { value: performance, writable: true, configurable: true });
  return { performance, Performance };
}
