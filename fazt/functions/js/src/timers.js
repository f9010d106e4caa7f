// setTimeout and setInterval: the driver wakes the isolate when the first one is due.
//
// Rule: a timer belongs to the call that set it, and ends with it. Whose it is cannot be changed by user code: nothing
// here is kept in an object whose prototype it can reach, and no callback is called as a method of its timer.

import { privateMap } from "./private.js";

const MOST_TIMERS = 10000;
const LONGEST_MS = 2147483647;
const SHORTEST_INTERVAL_MS = 1;

const { apply } = Reflect;
const { setPrototypeOf } = Object;
const everything = globalThis;

// Timers by time, then by who came first: a heap in which each knows its place.
function makeOrder() {
  const heap = setPrototypeOf([], null);
  let size = 0;
  let turns = 0;

  const isBefore = (one, other) => one.at < other.at || (one.at === other.at && one.turn < other.turn);

  function put(timer, at) {
    heap[at] = timer;
    timer.place = at;
  }

  function rise(timer, at) {
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (isBefore(heap[parent], timer)) break;
      put(heap[parent], at);
      at = parent;
    }
    put(timer, at);
  }

  function sink(timer, at) {
    for (let child = 2 * at + 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && isBefore(heap[child + 1], heap[child])) child++;
      if (isBefore(timer, heap[child])) break;
      put(heap[child], at);
      at = child;
    }
    put(timer, at);
  }

  return {
    first: () => (size ? heap[0] : null),
    add(timer) {
      timer.turn = ++turns;
      rise(timer, size++);
    },
    remove(timer) {
      const last = heap[--size];
      heap.length = size;
      if (last === timer) return;
      const at = timer.place;
      if (at > 0 && isBefore(last, heap[(at - 1) >>> 1])) rise(last, at);
      else sink(last, at);
    },
  };
}

export function installTimers({ current, sliceBegan, now, setDeadline, failed }) {
  const timers = privateMap();
  const order = makeOrder();
  let numbers = 0;

  function wake() {
    const first = order.first();
    setDeadline(first === null ? Infinity : first.at);
  }

  function set(callback, delay, parameters, repeats) {
    if (typeof callback !== "function") throw new TypeError("a timer needs a function");
    if (timers.size >= MOST_TIMERS) throw new RangeError(`more than ${MOST_TIMERS} timers`);
    const wanted = Number(delay); // here user code may run
    const call = current();
    if (call === null || call.open <= 0) throw new Error("the call that this timer belongs to has ended");
    const ms = wanted >= 0 && wanted <= LONGEST_MS ? wanted : 0;
    const every = repeats ? (ms > SHORTEST_INTERVAL_MS ? ms : SHORTEST_INTERVAL_MS) : 0;
    const timer = { id: ++numbers, call, callback, parameters, every, at: now() + ms, turn: 0, place: 0 };
    timers.set(timer.id, timer);
    order.add(timer);
    wake();
    return timer.id;
  }

  function clear(id) {
    const timer = timers.get(Number(id));
    if (timer === undefined) return;
    timers.delete(timer.id);
    order.remove(timer);
    wake();
  }

  const functions = {
    setTimeout: (callback, delay = 0, ...parameters) => set(callback, delay, parameters, false),
    setInterval: (callback, delay = 0, ...parameters) => set(callback, delay, parameters, true),
    clearTimeout: clear,
    clearInterval: clear,
  };
  for (const [name, value] of Object.entries(functions)) {
    Object.defineProperty(value, "name", { value: name });
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
  }

  return {
    // The call whose timer is due next.
    owner() {
      const timer = order.first();
      return timer !== null && timer.at <= sliceBegan() + 1 ? timer.call : null;
    },

    // Run one timer: each has a slice of its own.
    runNext() {
      const timer = order.first();
      if (timer === null || timer.at > sliceBegan() + 1) {
        wake();
        return;
      }
      order.remove(timer);
      if (timer.every) {
        timer.at = sliceBegan() + timer.every;
        order.add(timer);
      } else {
        timers.delete(timer.id);
      }
      wake();
      try {
        apply(timer.callback, everything, timer.parameters);
      } catch (error) {
        failed(error);
      }
    },

    forget(call) {
      if (timers.size === 0) return;
      timers.forEach((timer) => {
        if (timer.call === call) clear(timer.id);
      });
    },
  };
}
