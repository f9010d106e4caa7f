// The server at a glance: traffic, what needs attention, the sites by traffic, disk and memory. Live by events.
import { events, get } from "../api.js";
import { Button } from "../components/form.js";
import { EmptyState } from "../components/empty.js";
import { Icon } from "../components/icons.js";
import { LoadFault, useLoad } from "../components/load.js";
import { NewSite } from "../components/new-site.js";
import { Spark } from "../components/spark.js";
import { Badge, Card, Figure, Page, Skeleton, Table } from "../components/table.js";
import { ago, bytes, compact, count } from "../format.js";
import { to } from "../router.js";
import { html, useEffect, useState } from "../vendor/preact.js";

const SHOWN = 50;

export default function Overview({ session }) {
  const { data, error, reload } = useLoad(() => get("/overview"), []);
  const [live, setLive] = useState(null);
  const [making, setMaking] = useState(false);
  const [shown, setShown] = useState(SHOWN);
  useEffect(() => {
    let due = null;
    const stop = events((kind, told) => {
      if (kind === "traffic") setLive(told);
      else due ??= setTimeout(() => { due = null; reload(); }, 500);
    });
    return () => { clearTimeout(due); stop(); };
  }, []);
  if (error) return html`<${Page} title="Overview"><${LoadFault} error=${error} reload=${reload} /><//>`;
  const mayMake = ["owner", "admin"].includes(session.user.role);
  const make = mayMake && html`<${Button} kind="primary" icon="plus" onClick=${() => setMaking(true)}>New site<//>`;
  return html`<${Page} title="Overview" about=${`Everything on ${session.server.domain}, now and over the last 30 days.`} actions=${make}>
    <${Attention} items=${data?.attention} />
    <div class="grid figures">${data ? html`
      <${Card} label="Requests"><${Figure} label="Requests, 24 hours" value=${compact(data.totals.requests_24h)} hint=${live ? `${count(perSecond(live))} a second now` : "\u00a0"} /><//>
      <${Card} label="Views"><${Figure} label="Page views, 24 hours" value=${compact(data.totals.views_24h)} hint="without bots" /><//>
      <${Card} label="Errors"><${Figure} label="Server errors, 24 hours" value=${compact(data.totals.errors_24h)} hint=${data.totals.errors_24h ? "see the logs" : "none"} /><//>
      <${Card} label="Memory"><${Figure} label="Memory" value=${bytes(live?.memory_bytes ?? data.server.memory_bytes)} hint=${`${bytes(data.server.disk.database_bytes)} on disk, ${bytes(data.server.disk.free_bytes)} free`} /><//>`
      : [1, 2, 3, 4].map(() => html`<div class="card"><${Skeleton} size="figure" /></div>`)}</div>
    <${Sites} sites=${data?.sites ?? null} live=${live} shown=${shown} onMore=${() => setShown(shown + SHOWN)} make=${make} />
    ${making && html`<${NewSite} onClose=${() => setMaking(false)} />`}
  <//>`;
}

const perSecond = (live) => Object.values(live.sites).reduce((sum, site) => sum + site.requests, 0);

function Attention({ items }) {
  if (!items || items.length === 0) return null;
  return html`<${Card} title="Needs attention"><div class="stack tight">${items.map((item) => html`<div class="notice warning"><${Icon} name="warning" />
    <div class="grow">${item.site && html`<a href=${to("sites", item.site)}><b>${item.site}</b></a> `}${item.message}${item.action && html`<div class="quiet small mono">${item.action}</div>`}</div></div>`)}</div><//>`;
}

function Sites({ sites, live, shown, onMore, make }) {
  const columns = [
    { name: "Site", cell: (site) => html`<a href=${to("sites", site.name)}><b>${site.name}</b></a> ${site.locked && html`<${Badge} kind="warning">locked<//>`}
      ${live?.sites[site.name]?.requests > 0 && html`<${Badge} kind="good">${count(live.sites[site.name].requests)}/s<//>`}` },
    { name: "Last 30 days", wide: true, cell: (site) => html`<${Spark} values=${site.spark} label=${`Requests of ${site.name}, 30 days`} />` },
    { name: "Views, 24 h", number: true, cell: (site) => compact(site.views_24h) },
    { name: "Requests, 24 h", number: true, wide: true, cell: (site) => compact(site.requests_24h) },
    { name: "Errors", number: true, cell: (site) => (site.errors_24h ? html`<${Badge} kind="danger">${compact(site.errors_24h)}<//>` : "0") },
    { name: "Deployed", wide: true, cell: (site) => html`<span class="quiet nowrap">${site.deployed_at ? ago(site.deployed_at) : "not yet"}</span>` },
  ];
  return html`<${Card} flush title="Sites">
    <${Table} label="Sites by traffic" columns=${columns} items=${sites?.slice(0, shown) ?? null} keyOf=${(site) => site.name}
      empty=${html`<${EmptyState} icon="site" title="No site yet" command="fazt deploy ./my-folder --site my-site" action=${make}>A folder of files is a site. Make one here and drop a folder on its page.<//>`} />
    ${sites && sites.length > shown && html`<div class="padded"><${Button} onClick=${onMore}>Show more of ${count(sites.length)}<//></div>`}
  <//>`;
}
