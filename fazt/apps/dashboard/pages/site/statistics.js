// Who came, for what, and from where: counted by the server itself, without cookies and without a script on the pages.

import { get } from "../../api.js";
import { Chart } from "../../components/chart.js";
import { quote } from "../../components/cli.js";
import { EmptyState } from "../../components/empty.js";
import { Button } from "../../components/form.js";
import { LoadFault, useLoad } from "../../components/load.js";
import { Card, Figure, Skeleton } from "../../components/table.js";
import { bytes, compact, count, milliseconds, safeUrl } from "../../format.js";
import { html, useEffect, useMemo, useState } from "../../vendor/preact.js";
import { at, Choice, Commands } from "./parts.js";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const RANGES = { "24h": ["24 hours", DAY_MS, "hour"], "7d": ["7 days", 7 * DAY_MS, "day"], "30d": ["30 days", 30 * DAY_MS, "day"], "12m": ["12 months", 365 * DAY_MS, "day"] };
const SERIES = [["views", "Views", "--chart-1"], ["visitors", "Visitors", "--chart-2"], ["requests", "Requests", "--chart-3"], ["errors", "Errors", "--chart-4"]];
const SHOWN = 8;
const fast = (value) => (value !== null && value !== undefined && value < 0.1 ? "under 0.1 ms" : milliseconds(value));

export default function Statistics({ site, visits }) {
  const [range, setRange] = useState("7d");
  const found = useLoad(() => read(site.name, range), [site.name, range]);
  const { data, error } = found;
  useEffect(() => {
    if (visits) found.reload();
  }, [visits]);
  const [title] = RANGES[range];
  return html`<div class="stack statistics">
    <div class="row spread"><${Choice} label="Time" options=${Object.entries(RANGES).map(([key, [text]]) => [key, text])} value=${range} onChange=${setRange} />
      <${Button} small kind="plain" onClick=${found.reload}>Look again<//></div>
    ${error ? html`<${LoadFault} ...${found} />` : data && !data.now.totals.requests && !data.before.totals.requests
      ? html`<${Card} label="Nobody yet"><div class="nobody"><${Nobody} site=${site} title=${title} /></div><//>`
      : html`<${Totals} data=${data} title=${title} />
        <${Card} label="Over time"><${Over} now=${data?.now} /><//>
        ${data && html`<${Lists} now=${data.now} site=${site} />`}`}
    ${data && html`<${Card} title="How this is counted"><p class="quiet">The server counts what it answers anyway. No cookies, no script on your pages, and nothing about a person is kept: a visitor is a hash with a
      salt that is thrown away each day, so nobody can be followed from one day to the next, and the same person on two days counts twice. Bots are counted apart, and who asks not to be tracked is not.</p><//>`}
    ${(data || error) && html`<${Commands} lines=${[`fazt stats ${quote(site.name)}`]} />`}
  </div>`;
}

// The time asked for, and the same length of time before it, to compare with.
async function read(name, range) {
  const [, length, step] = RANGES[range];
  const unit = step === "hour" ? HOUR_MS : DAY_MS;
  const end = Math.ceil(Date.now() / unit) * unit;
  const ask = (from, to) => get(at(name, "statistics"), { from: new Date(from).toISOString(), to: new Date(to).toISOString(), step });
  const [now, before] = await Promise.all([ask(end - length, end), ask(end - 2 * length, end - length).catch(() => ({ totals: {} }))]);
  return { now, before };
}

function Nobody({ site, title }) {
  const url = safeUrl(site.url);
  return html`<${EmptyState} icon="chart" title=${`Nobody came in the last ${title}`} action=${url && html`<${Button} href=${url} target="_blank" rel="noreferrer" icon="out">Be the first<//>`}>
    Visits show here within seconds: pages, visitors, where they came from, and what they looked for and did not find. There is nothing to install.<//>`;
}

const FIGURES = [["views", "Page views", compact], ["visitors", "Visitors", compact], ["requests", "Requests", compact], ["errors", "Errors", compact, true], ["bytes", "Sent", bytes], ["p95_ms", "95 of 100 within", fast, true]];

function Totals({ data, title }) {
  return html`<div class="card totals">${FIGURES.map(([key, label, say, isBad]) => (data
    ? html`<${Figure} key=${key} label=${label} value=${say(data.now.totals[key] ?? 0)} hint=${html`<${Change} now=${data.now.totals[key]} before=${data.before.totals[key]} isBad=${isBad} title=${title} />`} />`
    : html`<${Skeleton} key=${key} size="figure" />`))}</div>`;
}

// How much more or less than in the time before; in words for who does not see colours.
function Change({ now, before, isBad, title }) {
  if (!now && !before) return html`<span>${"\u00a0"}</span>`;
  if (!before) return html`<span title=${`The ${title} before: none`}>new</span>`;
  const part = Math.round(((now ?? 0) / before - 1) * 100);
  if (part === 0) return html`<span>as before</span>`;
  const good = part > 0 !== Boolean(isBad);
  return html`<span class=${good ? "change-good" : "change-bad"} title=${`The ${title} before: ${count(Math.round(before))}`}>${part > 0 ? "▲" : "▼"} ${count(Math.abs(part))} %<span class="visually-hidden"> ${part > 0 ? "more" : "less"} than before</span></span>`;
}

function Over({ now }) {
  const data = useMemo(() => {
    const points = now?.series ?? [];
    return {
      times: points.map((each) => Math.round(new Date(each.at).getTime() / 1000)),
      series: SERIES.map(([key, label, color]) => ({ label, color, values: points.map((each) => each[key] ?? 0) })),
    };
  }, [now]);
  const [hidden, setHidden] = useState(["requests"]);
  const toggle = (label) => setHidden((before) => (before.includes(label) ? before.filter((each) => each !== label) : [...before, label]));
  const series = useMemo(() => data.series.filter((each) => !hidden.includes(each.label.toLowerCase())), [data, hidden]);
  return html`<div class="stack">
    <div class="row" role="group" aria-label="Lines">${SERIES.map(([key, label]) => html`<button key=${key} type="button" class="chip" aria-pressed=${hidden.includes(key) ? "false" : "true"} onClick=${() => toggle(key)}>${label}</button>`)}</div>
    ${now ? html`<${Chart} times=${data.times} series=${series} label="Traffic over time" step=${now.step} />` : html`<div class="chart-wait"><${Skeleton} size="block" /></div>`}
  </div>`;
}

const LISTS = [
  ["pages", "Top pages", "Pages that were looked at show here."], ["missing", "Looked for and not found", "Nobody asked for a page that is not there."],
  ["referrers", "Came from", "Nobody came by a link from another site."], ["events", "Events", "Pages tell of events with the beacon: /_fazt/beacon.js"],
  ["browsers", "Browsers", ""], ["systems", "Systems", ""], ["devices", "Devices", ""],
  ["countries", "Countries", "Countries show when the server has a database of addresses."], ["statuses", "Statuses", ""],
];

function Lists({ now, site }) {
  return html`<div class="stat-lists">${LISTS.map(([key, title, empty]) => html`<${Card} key=${key} title=${title}>
    ${now ? html`<${Bars} items=${now[key] ?? []} empty=${empty} url=${key === "pages" || key === "missing" ? site.url : null} />` : html`<${Skeleton} size="block" />`}
  <//>`)}
  ${now && html`<${Card} title="How fast"><dl class="facts">${[["p50_ms", "Half within"], ["p95_ms", "95 of 100 within"], ["p99_ms", "99 of 100 within"]].map(([key, text]) => html`<dt key=${key}>${text}</dt><dd>${fast(now.totals[key])}</dd>`)}
    <dt>Views by bots</dt><dd>${count(now.totals.bots)}</dd></dl><//>`}</div>`;
}

// What a visitor's browser said stands here as text and never as a link of its own making.
function Bars({ items, empty, url }) {
  const [all, setAll] = useState(false);
  if (!items.length) return html`<p class="quiet small">${empty || "Nothing yet."}</p>`;
  const most = Math.max(...items.map((each) => each.count), 1);
  const shown = all ? items : items.slice(0, SHOWN);
  return html`<ol class="bars">${shown.map(({ name, count: number }) => html`<li key=${name}>
    <span class="bar" style=${{ width: `${(number / most) * 100}%` }} aria-hidden="true"></span>
    <span class="bar-name cut" title=${name}>${url && /^\/(?!\/)/.test(name) && safeUrl(url) ? html`<a href=${url.replace(/\/$/, "") + encodeURI(decodedPath(name))} target="_blank" rel="noreferrer">${name}</a>` : name || "direct"}</span>
    <span class="number">${compact(number)}</span></li>`)}</ol>
    ${items.length > SHOWN && html`<${Button} small kind="plain" onClick=${() => setAll(!all)}>${all ? "Fewer" : `All ${count(items.length)}`}<//>`}`;
}

function decodedPath(path) {
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}
