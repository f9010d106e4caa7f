// The log of a site as it happens: requests, calls, what functions print, errors. Filtered here, bounded here.
// Rule: the page holds the last 1,000 lines and no more, however busy the site is.

import { ApiError, lines } from "../../api.js";
import { quote } from "../../components/cli.js";
import { EmptyState } from "../../components/empty.js";
import { Button, Fault } from "../../components/form.js";
import { Badge, Card } from "../../components/table.js";
import { count, milliseconds } from "../../format.js";
import { to } from "../../router.js";
import { html, useEffect, useMemo, useRef, useState } from "../../vendor/preact.js";
import { isError, sayError } from "./overview.js";
import { Choice, Commands } from "./parts.js";

const KEPT = 1000;
const SHOWN = 300;
const DRAWN_EACH_MS = 200; // thousands of lines a second are drawn five times a second
const AGAIN_AFTER_MS = 3000;
const KINDS = [["", "All"], ["access", "Requests"], ["call", "Calls"], ["console", "Console"], ["error", "Errors"]];
const STATUSES = [["", "Any status"], ["2", "2xx"], ["3", "3xx"], ["4", "4xx"], ["5", "5xx"]];

// Without a site it is the log of the whole server.
export default function Logs({ site }) {
  const command = `fazt logs ${site.name ? quote(site.name) : "SITE"}`;
  const log = useLog(site.name);
  const [kind, setKind] = useState("");
  const [status, setStatus] = useState("");
  const [text, setText] = useState("");
  const shown = useMemo(() => pick(log.lines, { kind, status, text }), [log.lines, kind, status, text]);
  return html`<div class="stack">
    <div class="row log-bar">
      <${Choice} label="Kind" options=${KINDS} value=${kind} onChange=${setKind} />
      <select class="input status-choice" aria-label="Status" value=${status} onChange=${(event) => setStatus(event.target.value)}>
        ${STATUSES.map(([value, name]) => html`<option key=${value} value=${value}>${name}</option>`)}</select>
      <input class="input search-input grow" type="search" placeholder="Text in the line" aria-label="Text in the line" value=${text} onInput=${(event) => setText(event.target.value)} />
      <${Button} onClick=${log.toggle} aria-pressed=${log.paused ? "true" : "false"}>${log.paused ? `Go on${log.waiting ? ` (${count(log.waiting)} new)` : ""}` : "Pause"}<//>
      <${Button} kind="plain" onClick=${log.clear}>Clear<//>
    </div>
    ${log.error && html`<${Fault} error=${log.error} />`}
    <${Card} flush label="Log">
      <div class="log-state padded small quiet" role="status"><i class=${`pulse ${log.paused ? "" : log.state}`}></i>
        ${log.paused ? "Paused" : { live: "Live", connecting: "Connecting…", broken: "Broken off; trying again…" }[log.state]}
        <span class="grow"></span>${count(shown.length)}${shown.length !== log.lines.length ? ` of ${count(log.lines.length)}` : ""} lines</div>
      <ol class="log-lines" tabindex="0" aria-label="Lines of the log, newest first">
        ${shown.slice(-SHOWN).reverse().map((line) => html`<${Line} key=${line.number} line=${line} site=${site.name ?? line.site} />`)}
      </ol>
      ${shown.length > SHOWN && html`<p class="padded quiet small">Only the newest ${SHOWN} are drawn; filter to find older ones.</p>`}
      ${shown.length === 0 && (log.lines.length
        ? html`<${EmptyState} icon="search" title="No line is like that">Change the filters to see the other ${count(log.lines.length)}.<//>`
        : html`<${EmptyState} icon="logs" title="Nothing has happened yet" command=${`${command} -f`}>Visit the site, or call a function: its requests, and what it prints with <span class="mono">console.log</span>, show here at once.<//>`)}
    <//>
    <${Commands} lines=${[`${command} -f`, `${command} --since 1h --json`]} />
  </div>`;
}

// Follows the log; while paused, lines are kept and counted, and not shown.
function useLog(name) {
  const [state, setState] = useState({ lines: [], state: "connecting", waiting: 0, error: null });
  const [paused, setPaused] = useState(false);
  const held = useRef({ lines: [], number: 0, isPaused: false, fresh: 0 });
  useEffect(() => {
    const stop = new AbortController();
    const hold = held.current;
    Object.assign(hold, { lines: [], fresh: 0 });
    let drawn = 0;
    const draw = () => {
      drawn = 0;
      setState((before) => (hold.isPaused ? { ...before, waiting: hold.fresh } : { ...before, lines: hold.lines.slice(), waiting: 0 }));
    };
    const take = (line) => {
      hold.lines.push({ ...line, number: ++hold.number });
      if (hold.lines.length > KEPT) hold.lines.splice(0, hold.lines.length - KEPT);
      hold.fresh += 1;
      drawn ||= setTimeout(draw, DRAWN_EACH_MS);
    };
    follow(name, stop.signal, take, (next) => setState((before) => ({ ...before, ...next })));
    return () => {
      stop.abort();
      clearTimeout(drawn);
    };
  }, [name]);
  const toggle = () => {
    const hold = held.current;
    hold.isPaused = !hold.isPaused;
    hold.fresh = 0;
    setPaused(hold.isPaused);
    setState((before) => ({ ...before, waiting: 0, lines: hold.isPaused ? before.lines : hold.lines.slice() }));
  };
  const clear = () => {
    held.current.lines = [];
    setState((before) => ({ ...before, lines: [], waiting: 0 }));
  };
  return { ...state, paused, toggle, clear };
}

async function follow(name, signal, take, tell) {
  let last = null; // where it broke off: lines up to here were seen
  while (!signal.aborted) {
    try {
      const limit = last === null ? 200 : KEPT;
      const seen = last;
      const isLive = () => tell({ state: "live", error: null });
      for await (const line of lines("/logs", { site: name, follow: true, limit }, signal, isLive)) {

        if (seen !== null && line.at <= seen) continue;
        last = line.at;
        take(line);
      }
    } catch (error) {
      if (signal.aborted) return;
      tell({ state: "broken", error: error instanceof ApiError && error.status >= 400 && error.status < 500 ? error : null });
      if (error.status >= 400 && error.status < 500) return;
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_AFTER_MS));
  }
}

function pick(all, { kind, status, text }) {
  const wanted = text.toLowerCase();
  return all.filter((line) => {
    if (kind === "error" ? !isError(line) : kind && line.kind !== kind) return false;
    if (status && Math.floor((line.status ?? 0) / 100) !== Number(status)) return false;
    return !wanted || say(line).toLowerCase().includes(wanted);
  });
}

function say(line) {
  if (line.kind === "access") return `${line.status} ${line.method} ${line.host}${line.path} ${line.client}`;
  if (line.kind === "call") return isError(line) ? sayError(line) : `${line.status ?? ""} ${line.method ?? line.function} ${line.name}`;
  return `${line.level ?? ""} ${line.message}`;
}

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

function Line({ line, site }) {
  const bad = isError(line);
  const kind = bad ? "danger" : line.status >= 400 || line.level === "warn" ? "warning" : line.kind === "access" ? "" : "accent";
  const took = line.duration_us === undefined ? "" : milliseconds(line.duration_us / 1000);
  return html`<li class=${`log-line ${bad ? "bad" : ""}`}>
    <time class="quiet nowrap" datetime=${line.at} title=${line.at}>${CLOCK.format(new Date(line.at))}</time>
    <span class="log-kind"><${Badge} kind=${kind}>${line.kind === "access" ? line.status : line.kind === "console" ? line.level : line.kind}<//></span>
    <span class="wrap log-text">${line.kind === "access"
      ? html`<span class="quiet">${line.method}</span> ${line.path}`
      : line.kind === "call"
        ? html`${line.method && html`<span class="quiet">${line.method}</span> `}${bad ? sayError(line).replace(`${line.method ?? line.function} `, "") : line.name}${line.call && bad ? html` <a href=${to("sites", site, "functions", "calls", line.call)}>look</a>` : ""}`
        : line.message}</span>
    <span class="quiet nowrap log-took">${took}</span>
  </li>`;
}
