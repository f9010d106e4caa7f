// The functions of a site: its routes and a console to try them, calls that failed, jobs, cron, and what they keep (kv).

import { list } from "../../api.js";
import { quote } from "../../components/cli.js";
import { EmptyState } from "../../components/empty.js";
import { Button } from "../../components/form.js";
import { LoadFault, useLoad } from "../../components/load.js";
import { Card, Skeleton } from "../../components/table.js";
import { to } from "../../router.js";
import { html, useState } from "../../vendor/preact.js";
import { FailedCall, FailedCalls } from "./calls.js";
import { Cron, Jobs } from "./jobs.js";
import { KeyValues } from "./kv.js";
import { at, Commands, Segments } from "./parts.js";
import { TryConsole } from "./try.js";

const PARTS = [["try", "Routes & try it"], ["calls", "Failed calls"], ["jobs", "Jobs"], ["cron", "Cron"], ["kv", "Key-value"]];

export default function Functions({ site, rest, changes }) {
  const part = PARTS.some(([key]) => key === rest[0]) ? rest[0] : "try";
  const given = { site, changes, rest: rest.slice(1) };
  return html`<div class="stack">
    <${Segments} label="Parts of functions" options=${PARTS} value=${part} hrefOf=${(key) => (key === "try" ? to("sites", site.name, "functions") : to("sites", site.name, "functions", key))} />
    ${part === "try" && html`<${Routes} ...${given} />`}
    ${part === "calls" && (rest[1] ? html`<${FailedCall} key=${rest[1]} ...${given} id=${rest[1]} />` : html`<${FailedCalls} ...${given} />`)}
    ${part === "jobs" && html`<${Jobs} ...${given} />`}
    ${part === "cron" && html`<${Cron} ...${given} />`}
    ${part === "kv" && html`<${KeyValues} ...${given} />`}
  </div>`;
}

// The route that a file under api/ answers, or null: middleware and what begins with _ are no routes.
export function routeOf(path) {
  const inside = path.match(/^api\/(.+)\.(js|mjs|ts|mts)$/)?.[1];
  if (!inside || inside.split("/").some((part) => part.startsWith("_"))) return null;
  return `/api/${inside}`.replace(/(^|\/)index$/, "") || "/api";
}

function Routes({ site }) {
  const files = useLoad(() => (site.live_version ? list(at(site.name, "versions", "live", "files"), { limit: 1000 }) : []), [site.live_version]);
  const [chosen, setChosen] = useState(null);
  if (files.error) return html`<${LoadFault} ...${files} />`;
  if (!files.data) return html`<${Skeleton} size="block" />`;
  const routes = files.data.map(({ path }) => ({ path, route: routeOf(path) })).filter(({ route }) => route);
  if (!routes.length) {
    return html`<${Card}><${EmptyState} icon="code" title="No functions yet" command=${`fazt deploy . --site ${quote(site.name)}`}
      action=${html`<${Button} kind="primary" href=${to("sites", site.name, "files", "live", "api", "hello.js")}>Write api/hello.js<//>`}>
      A file under <span class="mono">api/</span> answers at its path: <span class="mono">api/hello.js</span> at <span class="mono">/api/hello</span>. It exports a function for each method:<//>
      <pre class="code example" tabindex="0">${EXAMPLE}</pre><//>`;
  }
  return html`<div class="stack">
    <${TryConsole} site=${site} chosen=${chosen ?? routes[0].route} />
    <${Card} title="Routes" flush><ul class="route-list">${routes.map(({ path, route }) => html`<li key=${path} class="row spread">
      <button type="button" class="link-button mono wrap" onClick=${() => setChosen(route)}>${route}</button>
      <a class="quiet small mono wrap" href=${to("sites", site.name, "files", "live", ...path.split("/"))}>${path}</a></li>`)}</ul><//>
    <${Commands} lines=${[`fazt call ${quote(site.name)} ${quote(routes[0].route)}`, `fazt logs ${quote(site.name)} -f`]} />
  </div>`;
}

const EXAMPLE = `export async function GET(request, { fazt }) {
  const visits = await fazt.kv.increment("visits");
  return Response.json({ hello: "world", visits });
}`;
