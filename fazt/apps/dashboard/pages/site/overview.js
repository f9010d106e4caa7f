// The first tab of a site: what is live, how it does, what went wrong last, and where the next version is dropped.

import { get, lines } from "../../api.js";
import { DropZone } from "../../components/drop.js";
import { Button } from "../../components/form.js";
import { Icon } from "../../components/icons.js";
import { useLoad } from "../../components/load.js";
import { Spark } from "../../components/spark.js";
import { Card, Skeleton } from "../../components/table.js";
import { toast } from "../../components/toast.js";
import { bytes, compact, count, plural, safeUrl, shortId } from "../../format.js";
import { to } from "../../router.js";
import { html } from "../../vendor/preact.js";
import { at, Commands, may, takeBack, When } from "./parts.js";
import { quote } from "../../components/cli.js";

const HOUR_MS = 3_600_000;
const SHOWN_ERRORS = 5;
const READ_LINES = 500;

export default function Overview({ site, reload, changes }) {
  const version = useLoad(() => (site.live_version ? get(at(site.name, "versions", "live")) : null), [site.live_version]);
  const traffic = useLoad(() => dayOf(site.name), [site.name]);
  const errors = useLoad(() => lastErrors(site.name), [site.name, changes]);
  const limits = useLoad(readLimits, []);
  const deployed = async (made) => {
    const before = site.live_version;
    await reload();
    if (made.live && !made.unchanged && before) {
      toast("The new version is live.", { undo: takeBack(site.name, made.version, before, reload) });
    }
  };
  return html`<div class="site-overview">
    <div class="stack">
      ${may("deploy") && !site.locked && html`<${Card} label="Deploy">
        <${DropZone} site=${site.name} live=${site.live_version} limits=${limits.data ?? {}} onDeployed=${deployed} /><//>`}
      ${site.locked && html`<div class="notice warning"><${Icon} name="lock" /><div>This site is locked: nothing of it can be changed until it is
        unlocked in its <a href=${to("sites", site.name, "settings")}>settings</a>.</div></div>`}
      <${Errors} name=${site.name} errors=${errors} />
    </div>
    <div class="stack">
      <${Live} site=${site} version=${version.data} />
      <${Traffic} name=${site.name} traffic=${traffic} />
      <${Attention} site=${site} errors=${errors.data} />
    </div>
  </div>`;
}

async function dayOf(name) {
  const now = Date.now();
  const [from, till] = [new Date(now - 24 * HOUR_MS), new Date(now)].map((date) => date.toISOString());
  return get(at(name, "statistics"), { from, to: till, step: "hour" });
}

async function readLimits() {
  if (!may("admin")) return {};
  const { items } = await get("/settings", { limit: 1000 });
  return Object.fromEntries(items.filter(({ name }) => /^max_(site|file)_/.test(name)).map(({ name, value }) => [name, Number(value)]));
}

export function isError(line) {
  if (line.kind === "access") return line.status >= 500;
  if (line.kind === "call") return Boolean(line.failure || line.error || line.status >= 500);
  return line.kind === "error" || line.level === "error";
}

async function lastErrors(name) {
  const found = [];
  for await (const line of lines("/logs", { site: name, limit: READ_LINES })) {
    // A call that failed is told once, by the line that knows why, and not by its request as well.
    if (isError(line) && !(line.kind === "access" && line.path.startsWith("/api/"))) found.push(line);
  }
  return found.slice(-SHOWN_ERRORS).reverse();
}

function Live({ site, version }) {
  const url = safeUrl(site.url);
  return html`<${Card} title="Live now" actions=${site.live_version && html`<${Button} small href=${to("sites", site.name, "versions")}>All versions<//>`}>
    ${site.live_version
      ? html`<dl class="facts">
        <dt>Address</dt><dd>${url ? html`<a href=${url} target="_blank" rel="noreferrer">${url.replace(/^https?:\/\//, "").replace(/\/$/, "")}</a>` : site.url}</dd>
        ${site.domains.map((domain) => html`<dt key=${domain}>Domain</dt><dd>${domain}</dd>`)}
        <dt>Version</dt><dd><span class="mono">${shortId(site.live_version)}</span>${version?.message && html` <span class="wrap">${version.message}</span>`}</dd>
        <dt>Deployed</dt><dd>${version ? html`<${When} time=${version.created_at} />${version.source && html` <span class="quiet">from ${version.source}</span>`}` : "…"}</dd>
        <dt>Size</dt><dd>${plural(site.files, "file")}, ${bytes(site.bytes)}</dd>
        <dt>Kept</dt><dd>${plural(site.versions, "version")}</dd>
      </dl>`
      : html`<p class="quiet">Nothing yet. Drop a folder with an <span class="mono">index.html</span>; that is all a site needs.</p>`}
    <${Commands} lines=${[`fazt sites show ${quote(site.name)}`, `fazt rollback ${quote(site.name)}`]} />
  <//>`;
}

function Traffic({ name, traffic }) {
  const { data, error } = traffic;
  return html`<${Card} title="Last 24 hours" actions=${html`<${Button} small href=${to("sites", name, "statistics")}>Statistics<//>`}>
    ${error
      ? html`<p class="quiet traffic-space">There are no statistics to show: ${error.message}</p>`
      : !data
        ? html`<div class="traffic-space"><${Skeleton} size="figure" /></div>`
        : html`<div class="stack traffic-space">
          <div class="row spread figures">
            <div><b class="figure-small">${compact(data.totals.views)}</b><span class="quiet small">views</span></div>
            <div><b class="figure-small">${compact(data.totals.visitors)}</b><span class="quiet small">visitors</span></div>
            <div><b class="figure-small">${compact(data.totals.requests)}</b><span class="quiet small">requests</span></div>
            <div><b class="figure-small">${count(data.totals.errors)}</b><span class="quiet small">errors</span></div>
          </div>
          <${Spark} className="broad" label="Requests in the last 24 hours" values=${data.series.map((each) => each.requests)} />
        </div>`}
  <//>`;
}

export function sayError(line) {
  if (line.kind === "access") return `${line.status} ${line.method} ${line.path}`;
  if (line.kind === "call") return `${line.method ?? line.function} ${line.name}: ${line.failure?.message || line.error || line.status}`;
  return line.message;
}

function Errors({ name, errors }) {
  const { data, error } = errors;
  return html`<${Card} title="Last errors" actions=${html`<${Button} small href=${to("sites", name, "logs")}>Logs<//>`}>
    ${error
      ? html`<p class="quiet">${error.message}</p>`
      : !data
        ? html`<${Skeleton} />`
        : data.length === 0
          ? html`<p class="quiet calm"><${Icon} name="check" /> No error in the last ${READ_LINES} lines of the log.</p>`
          : html`<ul class="lines-list">${data.map((line, index) => html`<li key=${index}>
              <span class="mono wrap">${sayError(line)}</span>
              <span class="quiet small nowrap">${line.call ? html`<a href=${to("sites", name, "functions", "calls", line.call)}>look</a> · ` : ""}<${When} time=${line.at} /></span>
            </li>`)}</ul>`}
  <//>`;
}

function Attention({ site, errors }) {
  const said = [];
  if (errors?.length) said.push([to("sites", site.name, "logs"), `${plural(errors.length, "error")} among the last lines of the log.`]);
  if (site.versions > 200) said.push([to("sites", site.name, "versions"), `${count(site.versions)} versions are kept; prune those you need no more.`]);
  if (!said.length) return null;
  return html`<${Card} title="Needs attention"><ul class="lines-list">${said.map(([href, text]) => html`<li key=${text}><a href=${href}>${text}</a></li>`)}</ul><//>`;
}
