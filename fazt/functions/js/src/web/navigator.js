// navigator.userAgent, by which libraries see where they run.
//
// Rule: it says "Fazt" and nothing of the machine.

import { defineInterface } from "./webidl.js";

const SECRET = {};

export class Navigator {
  #userAgent = "Fazt";

  constructor(secret) {
    if (secret !== SECRET) throw new TypeError("new Navigator: there is one, globalThis.navigator");
  }

  get userAgent() {
    return this.#userAgent;
  }
}
defineInterface(Navigator, "Navigator");

export const navigator = new Navigator(SECRET);
