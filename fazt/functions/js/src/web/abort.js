// AbortController and AbortSignal.
//
// Rule: a signal aborts once; those that depend on it abort in the same turn, after its own algorithms.

import { defineInterface, isObject, requireArguments, toEnforcedRange, toSequence } from "./webidl.js";
import { DOMException } from "./dom_exception.js";
import { Event, EventTarget, defineHandler, fire, knowSignals } from "./events.js";

const SECRET = {}; // whoever has it may call the constructor

let abortNow;
let isSignal;
let follow;
let unfollow;
let dependentSignal;

export class AbortSignal extends EventTarget {
  #aborted = false;
  #reason = undefined;
  #algorithms = null;
  #sources = null; // the signals that this one was made from
  #dependents = null;

  constructor(secret) {
    if (secret !== SECRET) throw new TypeError("new AbortSignal: use an AbortController, or AbortSignal.timeout");
    super();
  }

  static abort(reason = undefined) {
    const signal = new AbortSignal(SECRET);
    signal.#aborted = true;
    signal.#reason = reason === undefined ? new DOMException("This operation was aborted", "AbortError") : reason;
    return signal;
  }

  static timeout(milliseconds) {
    requireArguments(arguments.length, 1, "AbortSignal.timeout");
    const delay = toEnforcedRange(milliseconds, "AbortSignal.timeout");
    const signal = new AbortSignal(SECRET);
    globalThis.setTimeout(() => {
      abortNow(signal, new DOMException(`The operation timed out after ${delay} ms`, "TimeoutError"));
    }, delay);
    return signal;
  }

  static any(signals) {
    requireArguments(arguments.length, 1, "AbortSignal.any");
    return dependentSignal(
      toSequence(
        signals,
        (signal) => {
          if (!isSignal(signal)) throw new TypeError("AbortSignal.any: an element is not an AbortSignal");
          return signal;
        },
        "AbortSignal.any",
      ),
    );
  }

  get aborted() {
    return this.#aborted;
  }

  get reason() {
    return this.#reason;
  }

  throwIfAborted() {
    if (this.#aborted) throw this.#reason;
  }

  static {
    isSignal = (value) => isObject(value) && #aborted in value;
    follow = (signal, algorithm) => {
      if (signal.#aborted) return;
      (signal.#algorithms ??= new Set()).add(algorithm);
    };
    unfollow = (signal, algorithm) => signal.#algorithms?.delete(algorithm);
    abortNow = (signal, reason) => {
      if (signal.#aborted) return;
      const error = reason === undefined ? new DOMException("This operation was aborted", "AbortError") : reason;
      const all = [signal];
      signal.#aborted = true;
      signal.#reason = error;
      for (const dependent of signal.#dependents ?? []) {
        if (dependent.#aborted) continue;
        dependent.#aborted = true;
        dependent.#reason = error;
        all.push(dependent);
      }
      for (const each of all) {
        const algorithms = each.#algorithms;
        each.#algorithms = null;
        for (const algorithm of algorithms ?? []) algorithm(error);
        fire(each, new Event("abort"));
      }
      signal.#dependents = null;
    };
    dependentSignal = (signals) => {
      const result = new AbortSignal(SECRET);
      for (const signal of signals) {
        if (!signal.#aborted) continue;
        result.#aborted = true;
        result.#reason = signal.#reason;
        return result;
      }
      result.#sources = new Set();
      for (const signal of signals) {
        for (const source of signal.#sources ?? [signal]) {
          if (result.#sources.has(source)) continue;
          result.#sources.add(source);
          (source.#dependents ??= new Set()).add(result);
        }
      }
      return result;
    };
  }
}

export { abortNow, dependentSignal, follow, isSignal, unfollow };

defineInterface(AbortSignal, "AbortSignal");
defineHandler(AbortSignal, "abort");
knowSignals(isSignal, follow);

export const makeSignal = () => new AbortSignal(SECRET);

export class AbortController {
  #signal = new AbortSignal(SECRET);

  get signal() {
    return this.#signal;
  }

  abort(reason = undefined) {
    abortNow(this.#signal, reason);
  }
}
defineInterface(AbortController, "AbortController");
