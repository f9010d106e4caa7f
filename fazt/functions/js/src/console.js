// `console`: each line goes to the log of the site, with the call that wrote it.
//
// Rule: a call writes a bounded number of lines and bytes; what is more is left out, and the log says so once.

const MOST_LINES = 1000;
const MOST_BYTES = 262144;
const LONGEST_LINE = 16384;

export function installConsole({ inspect, now, write, current }) {
  const counts = new Map();
  const times = new Map();
  let indent = "";

  function line(level, values) {
    const call = current();
    if (call === null) return; // its call has ended, and with it its log
    if (call.loggedLines > MOST_LINES || call.loggedBytes > MOST_BYTES) return;
    if (++call.loggedLines > MOST_LINES || call.loggedBytes >= MOST_BYTES) {
      call.loggedLines = MOST_LINES + 1;
      write("warn", `This call logged too much; the rest is left out (${MOST_LINES} lines, ${MOST_BYTES} bytes).`);
      return;
    }
    let text = indent + format(values);
    if (text.length > LONGEST_LINE) text = `${text.slice(0, LONGEST_LINE)}… (${text.length} characters)`;
    call.loggedBytes += text.length;
    write(level, text);
  }

  // The format string of the console standard: %s %d %i %f %o %O %c %%.
  function format(values) {
    let [first, ...rest] = values;
    if (typeof first === "string" && rest.length) {
      first = first.replace(/%([sdifoOc%])/g, (whole, kind) => {
        if (kind === "%") return "%";
        if (!rest.length) return whole;
        const value = rest.shift();
        if (kind === "s") return typeof value === "string" ? value : inspect(value);
        if (kind === "d" || kind === "i") return String(kind === "i" ? Math.trunc(Number(value)) : Number(value));
        if (kind === "f") return String(Number(value));
        return kind === "c" ? "" : inspect(value);
      });
    }
    return [first, ...rest].map((value) => (typeof value === "string" ? value : inspect(value))).join(" ");
  }

  const methods = {
    log: (...values) => line("info", values),
    info: (...values) => line("info", values),
    debug: (...values) => line("debug", values),
    warn: (...values) => line("warn", values),
    error: (...values) => line("error", values),
    dir: (value) => line("info", [value]),
    table: (value) => line("info", [value]),
    trace: (...values) => line("info", [`Trace: ${format(values)}\n${new Error().stack.split("\n").slice(2).join("\n")}`]),
    assert: (condition, ...values) => {
      if (!condition) line("error", [`Assertion failed${values.length ? ":" : ""}`, ...values]);
    },
    count: (label = "default") => {
      counts.set(label, (counts.get(label) ?? 0) + 1);
      line("info", [`${label}: ${counts.get(label)}`]);
    },
    countReset: (label = "default") => counts.delete(label),
    group: (...values) => {
      if (values.length) line("info", values);
      if (indent.length < 40) indent += "  ";
    },
    groupEnd: () => {
      indent = indent.slice(2);
    },
    time: (label = "default") => times.set(label, now()),
    timeLog: (label = "default", ...values) => {
      if (times.has(label)) line("info", [`${label}: ${(now() - times.get(label)).toFixed(3)} ms`, ...values]);
    },
    timeEnd: (label = "default") => {
      methods.timeLog(label);
      times.delete(label);
    },
  };
  methods.groupCollapsed = methods.group;
  Object.defineProperty(globalThis, "console", {
    value: methods, writable: true, configurable: true, enumerable: false,
  });
}
