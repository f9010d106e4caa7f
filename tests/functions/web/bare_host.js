// The host of the tests: `host.call` for fetch of files, a clock that stands still between timers, timers.

globalThis.__files = {};
globalThis.__results = null;
globalThis.__calls = [];

(() => {
  let clock = 0;
  let numbers = 0;
  let timers = [];
  let answer = null;

  const fetched = (url) => {
    const data = __files[url] ?? __files[url.replace(/^https?:\/\/[^/]+/, "").replace(/[?#].*$/, "")];
    const reply = { status: 200, statusText: "OK", url, redirected: false, headers: [], stream: null };
    if (data === undefined) return { value: { ...reply, status: 404, statusText: "Not Found" } };
    const headers = [["content-type", url.endsWith(".json") ? "application/json" : "text/plain"]];
    return {
      value: { ...reply, headers },
      bytes: Uint8Array.fromBase64(data),
    };
  };

  // What upstream's server does for inspect-headers.py and trickle.py.
  const scripted = (value) => {
    const { pathname, searchParams } = new URL(value.url);
    const reply = { status: 200, statusText: "OK", url: value.url, redirected: false, headers: [], stream: null };
    if (pathname.endsWith("/inspect-headers.py")) {
      for (const wanted of searchParams.get("headers").split("|")) {
        const found = value.headers.find(([name]) => name === wanted.toLowerCase());
        if (found !== undefined) reply.headers.push([`x-request-${wanted}`, found[1]]);
      }
    } else if (pathname.endsWith("/trickle.py")) {
      streams.set(++numbers, { left: Number(searchParams.get("count")), ms: Number(searchParams.get("ms") ?? 500) });
      reply.stream = numbers;
    } else {
      return null;
    }
    return { value: reply, bytes: new Uint8Array(0) };
  };

  const streams = new Map();
  const TRICKLE = Uint8Array.from("TEST_TRICKLE\n", (letter) => letter.charCodeAt(0));
  const readTrickle = (id) =>
    new Promise((resolve) => {
      const stream = streams.get(id);
      setTimeout(() => {
        if (stream.left-- <= 0) resolve({ value: { done: true } });
        else resolve({ value: { done: false }, bytes: TRICKLE.slice() });
      }, stream.ms);
    });

  globalThis.__host = {
    async call(op, value, bytes) {
      __calls.push([op, value, bytes]);
      if (globalThis.__onCall) return __onCall(op, value, bytes);
      if (op === "fetch") return scripted(value) ?? fetched(value.url);
      if (op === "stream.read") return readTrickle(value.id);
      if (op === "stream.cancel" || op === "fetch.cancel") return { value: null };
      const error = new Error(`${op} is not there`);
      error.code = "not_found";
      throw error;
    },
    random(count) {
      const bytes = new Uint8Array(count);
      for (let i = 0; i < count; i++) bytes[i] = Math.floor(Math.random() * 256);
      return bytes;
    },
    now: () => (clock += 0.005),
    timeOrigin: 1700000000000,
    addTask() {},
  };

  globalThis.setTimeout = (callback, delay = 0, ...values) => {
    const ms = Number(delay) > 0 ? Number(delay) : 0;
    timers.push({ id: ++numbers, at: clock + ms, callback, values, every: null });
    return numbers;
  };
  globalThis.setInterval = (callback, delay = 0, ...values) => {
    timers.push({ id: ++numbers, at: clock + Number(delay), callback, values, every: Math.max(1, Number(delay)) });
    return numbers;
  };
  globalThis.clearTimeout = (id) => {
    timers = timers.filter((timer) => timer.id !== id);
  };
  globalThis.clearInterval = globalThis.clearTimeout;

  globalThis.__turn = () => {
    if (timers.length === 0) return false;
    timers.sort((a, b) => a.at - b.at || a.id - b.id);
    const timer = timers.shift();
    clock = Math.max(clock, timer.at);
    if (timer.every !== null) timers.push({ ...timer, at: clock + timer.every });
    timer.callback(...timer.values);
    return true;
  };

  globalThis.__answer = (run) => {
    answer = null;
    run().then(
      (value) => {
        answer = JSON.stringify({ value });
      },
      (error) => {
        answer = JSON.stringify({ error: String(error?.stack ?? error) });
      },
    );
  };
  globalThis.__take = () => answer;

  globalThis.__ready = () => {
    delete globalThis.__host;
  };
})();
