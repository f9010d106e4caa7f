// Event, CustomEvent, ErrorEvent, EventTarget: without a tree, so that an event is only ever at its target.
//
// Rule: what a listener throws is reported, and the next listener runs.

import { defineProperty, splice } from "./primordials.js";
import { defineInterface, isObject, requireArguments, toDictionary, toDomString } from "./webidl.js";
import { DOMException } from "./dom_exception.js";
import { reportException } from "./reporting.js";

let now = () => 0;

// Time stamps of events come from this clock: milliseconds since the time origin.
export function setClock(clock) {
  now = clock;
}

let trusted; // (event) -> the same event, as if the platform had made it
let stateOf; // (event) -> what dispatching keeps of it
let dispatch; // (target, event, state) -> whether nobody canceled it
let followSignal;
let isSignal = () => false;

export class Event {
  #type;
  #bubbles;
  #cancelable;
  #composed;
  #timeStamp = now();
  #state = {
    target: null, current: null, dispatching: false, stop: false, stopNow: false, canceled: false, passive: false,
    trusted: false,
  };

  constructor(type, options = undefined) {
    requireArguments(arguments.length, 1, "new Event");
    const init = toDictionary(options, "new Event");
    this.#type = toDomString(type);
    this.#bubbles = Boolean(init.bubbles);
    this.#cancelable = Boolean(init.cancelable);
    this.#composed = Boolean(init.composed);
    defineProperty(this, "isTrusted", TRUSTED);
  }

  get type() {
    return this.#type;
  }

  get target() {
    return this.#state.target;
  }

  get srcElement() {
    return this.#state.target;
  }

  get currentTarget() {
    return this.#state.current;
  }

  composedPath() {
    return this.#state.current === null ? [] : [this.#state.current];
  }

  get eventPhase() {
    return this.#state.current === null ? 0 : 2;
  }

  stopPropagation() {
    this.#state.stop = true;
  }

  get cancelBubble() {
    return this.#state.stop;
  }

  set cancelBubble(value) {
    if (value) this.#state.stop = true;
  }

  stopImmediatePropagation() {
    this.#state.stop = true;
    this.#state.stopNow = true;
  }

  get bubbles() {
    return this.#bubbles;
  }

  get cancelable() {
    return this.#cancelable;
  }

  get returnValue() {
    return !this.#state.canceled;
  }

  set returnValue(value) {
    if (!value) this.preventDefault();
  }

  preventDefault() {
    if (this.#cancelable && !this.#state.passive) this.#state.canceled = true;
  }

  get defaultPrevented() {
    return this.#state.canceled;
  }

  get composed() {
    return this.#composed;
  }

  get timeStamp() {
    return this.#timeStamp;
  }

  initEvent(type, bubbles = false, cancelable = false) {
    requireArguments(arguments.length, 1, "initEvent");
    if (this.#state.dispatching) return;
    this.#state.stop = false;
    this.#state.stopNow = false;
    this.#state.canceled = false;
    this.#state.target = null;
    this.#type = toDomString(type);
    this.#bubbles = Boolean(bubbles);
    this.#cancelable = Boolean(cancelable);
  }

  static {
    stateOf = (event) => {
      if (!isObject(event) || !(#state in event)) throw new TypeError("dispatchEvent: the argument is not an Event");
      return event.#state;
    };
    trusted = (event) => {
      event.#state.trusted = true;
      return event;
    };
  }
}

const TRUSTED = {
  get: Object.getOwnPropertyDescriptor(
    {
      get isTrusted() {
        return stateOf(this).trusted;
      },
    },
    "isTrusted",
  ).get,
  enumerable: true,
  configurable: false,
};

defineInterface(Event, "Event", { NONE: 0, CAPTURING_PHASE: 1, AT_TARGET: 2, BUBBLING_PHASE: 3 });

export class CustomEvent extends Event {
  #detail;

  constructor(type, options = undefined) {
    requireArguments(arguments.length, 1, "new CustomEvent");
    super(type, options);
    this.#detail = toDictionary(options, "new CustomEvent").detail ?? null;
  }

  get detail() {
    return this.#detail;
  }

  initCustomEvent(type, bubbles = false, cancelable = false, detail = null) {
    requireArguments(arguments.length, 1, "initCustomEvent");
    if (stateOf(this).dispatching) return;
    this.initEvent(type, bubbles, cancelable);
    this.#detail = detail;
  }
}
defineInterface(CustomEvent, "CustomEvent");

export class ErrorEvent extends Event {
  #init;

  constructor(type, options = undefined) {
    requireArguments(arguments.length, 1, "new ErrorEvent");
    super(type, options);
    const { message = "", filename = "", lineno = 0, colno = 0, error } = toDictionary(options, "new ErrorEvent");
    this.#init = { message: `${message}`, filename: `${filename}`, lineno: lineno >>> 0, colno: colno >>> 0, error };
  }

  get message() {
    return this.#init.message;
  }

  get filename() {
    return this.#init.filename;
  }

  get lineno() {
    return this.#init.lineno;
  }

  get colno() {
    return this.#init.colno;
  }

  get error() {
    return this.#init.error;
  }
}
defineInterface(ErrorEvent, "ErrorEvent");

export class EventTarget {
  #listeners = null; // made by the first listener: most targets never have one

  addEventListener(type, callback, options = undefined) {
    requireArguments(arguments.length, 2, "addEventListener");
    const target = this === undefined || this === null ? globalThis : this; // called as a bare function
    const { capture, once, passive, signal } = readOptions(options);
    const name = toDomString(type);
    const listener = toCallback(callback, "addEventListener");
    if (signal !== undefined && signal.aborted) return;
    if (listener === null) return;
    const list = (target.#listeners ??= []);
    for (let i = 0; i < list.length; i++) {
      if (list[i].type === name && list[i].callback === listener && list[i].capture === capture) return;
    }
    const entry = { type: name, callback: listener, capture, once, passive, removed: false };
    list[list.length] = entry;
    if (signal !== undefined) followSignal(signal, () => remove(list, entry));
  }

  removeEventListener(type, callback, options = undefined) {
    requireArguments(arguments.length, 2, "removeEventListener");
    const target = this === undefined || this === null ? globalThis : this;
    const capture = isObject(options) ? Boolean(options.capture) : Boolean(options);
    const name = toDomString(type);
    const listener = toCallback(callback, "removeEventListener");
    const list = target.#listeners;
    if (list === null) return;
    for (let i = 0; i < list.length; i++) {
      const entry = list[i];
      if (entry.type === name && entry.callback === listener && entry.capture === capture) {
        remove(list, entry);
        return;
      }
    }
  }

  dispatchEvent(event) {
    requireArguments(arguments.length, 1, "dispatchEvent");
    const target = this === undefined || this === null ? globalThis : this;
    target.#listeners; // whoever is not an EventTarget is refused here
    const state = stateOf(event);
    if (state.dispatching) throw new DOMException("This event is being dispatched already", "InvalidStateError");
    state.trusted = false;
    return dispatch(target, event, state);
  }

  static {
    dispatch = (target, event, state) => {
      state.dispatching = true;
      state.target = target;
      state.current = target;
      const list = target.#listeners;
      if (list !== null && !state.stop) {
        const type = event.type;
        const snapshot = [];
        for (let i = 0; i < list.length; i++) if (list[i].type === type) snapshot[snapshot.length] = list[i];
        for (let pass = 0; pass < 2 && !state.stop; pass++) {
          runListeners(list, snapshot, pass === 0, target, event, state);
        }
      }
      state.dispatching = false;
      state.current = null;
      state.stop = false;
      state.stopNow = false;
      return !state.canceled;
    };
  }
}
defineInterface(EventTarget, "EventTarget");

// Signals are event targets themselves: their module tells this one how they are recognised and followed.
export function knowSignals(recognise, follow) {
  isSignal = recognise;
  followSignal = follow;
}

function runListeners(list, snapshot, capture, target, event, state) {
  for (let i = 0; i < snapshot.length && !state.stopNow; i++) {
    const entry = snapshot[i];
    if (entry.capture !== capture || entry.removed) continue;
    if (entry.once) remove(list, entry);
    state.passive = entry.passive;
    try {
      const { callback } = entry;
      if (typeof callback === "function") callback.call(target, event);
      else {
        const { handleEvent } = callback;
        if (typeof handleEvent !== "function") throw new TypeError("handleEvent is not a function");
        handleEvent.call(callback, event);
      }
    } catch (error) {
      reportException(error);
    }
    state.passive = false;
  }
}

function remove(list, entry) {
  entry.removed = true;
  for (let i = 0; i < list.length; i++) {
    if (list[i] === entry) {
      splice(list, i, 1);
      return;
    }
  }
}

function toCallback(callback, what) {
  if (callback === null || callback === undefined) return null;
  if (!isObject(callback)) throw new TypeError(`${what}: the listener is neither a function nor an object`);
  return callback;
}

function readOptions(options) {
  if (!isObject(options)) return { capture: Boolean(options), once: false, passive: false, signal: undefined };
  const capture = Boolean(options.capture);
  const once = Boolean(options.once);
  const passive = Boolean(options.passive);
  const { signal } = options;
  if (signal !== undefined && !isSignal(signal)) throw new TypeError("addEventListener: signal is not an AbortSignal");
  return { capture, once, passive, signal };
}

// Send an event that the platform made.
export function fire(target, event) {
  const state = stateOf(trusted(event));
  return dispatch(target, event, state);
}

// `target.onTYPE = listener`: one listener that keeps its place when it is replaced.
export function defineHandler(Class, type) {
  const handlers = new WeakMap();
  const key = `on${type}`;
  const accessors = {
    get [key]() {
      return handlers.get(this)?.callback ?? null;
    },
    set [key](value) {
      const callback = typeof value === "function" ? value : null;
      const entry = handlers.get(this);
      if (entry !== undefined) {
        entry.callback = callback;
        return;
      }
      if (callback === null) return;
      const created = { callback };
      handlers.set(this, created);
      this.addEventListener(type, function (event) {
        if (created.callback !== null && created.callback.call(this, event) === false) event.preventDefault();
      });
    },
  };
  const property = Object.getOwnPropertyDescriptor(accessors, key);
  defineProperty(Class.prototype, key, { get: property.get, set: property.set, enumerable: true, configurable: true });
}
