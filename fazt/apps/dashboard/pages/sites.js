// All sites: found by name, made, opened.
import { list } from "../api.js";
import { Button, Input } from "../components/form.js";
import { EmptyState } from "../components/empty.js";
import { LoadFault, useLoad } from "../components/load.js";
import { NewSite } from "../components/new-site.js";
import { Badge, Card, Page, Table } from "../components/table.js";
import { bytes, count, safeUrl } from "../format.js";
import { to } from "../router.js";
import { html, useMemo, useState } from "../vendor/preact.js";

const SHOWN = 100;

export default function Sites({ session }) {
  const { data, error, reload } = useLoad(() => list("/sites"), []);
  const [typed, setTyped] = useState("");
  const [shown, setShown] = useState(SHOWN);
  const [making, setMaking] = useState(false);
  const mayMake = ["owner", "admin"].includes(session.user.role);
  const found = useMemo(() => data?.filter((site) => site.name.includes(typed.trim().toLowerCase())), [data, typed]);
  const columns = [
    { name: "Site", cell: (site) => html`<a href=${to("sites", site.name)}><b>${site.name}</b></a>${site.locked && html` <${Badge} kind="warning">locked<//>`}` },
    { name: "Address", cell: (site) => html`<a class="quiet" href=${safeUrl(site.url)} target="_blank" rel="noreferrer">${site.url.replace(/^https?:\/\//, "").replace(/\/$/, "")}</a>`, wide: true },
    { name: "Live", cell: (site) => (site.live_version ? html`<span class="mono">${site.live_version.slice(0, 8)}</span>` : html`<${Badge}>nothing yet<//>`) },
    { name: "Files", number: true, wide: true, cell: (site) => count(site.files) },
    { name: "Size", number: true, cell: (site) => bytes(site.bytes) },
    { name: "Versions", number: true, wide: true, cell: (site) => count(site.versions) },
  ];
  const make = mayMake && html`<${Button} kind="primary" icon="plus" onClick=${() => setMaking(true)}>New site<//>`;
  if (error) return html`<${Page} title="Sites"><${LoadFault} error=${error} reload=${reload} /><//>`;
  return html`<${Page} title="Sites" about="Each has an address of its own, its versions, and its functions." actions=${make}>
    ${(!data || data.length > 8) && html`<${Input} label="Find a site" type="search" value=${typed} onInput=${(text) => { setTyped(text); setShown(SHOWN); }} />`}
    <${Card} flush label="Sites">
      <${Table} label="Sites" columns=${columns} items=${found?.slice(0, shown) ?? null} keyOf=${(site) => site.name}
        empty=${typed ? html`<${EmptyState} icon="search" title="No site is called that">Clear the search to see all ${data?.length}.<//>` : html`<${EmptyState} icon="site" title="No site yet"
          command="fazt deploy ./my-folder --site my-site" action=${make}>A folder of files is a site. Make one here and drop a folder on its page, or deploy from the command line.<//>`} />
      ${found && found.length > shown && html`<div class="padded"><${Button} onClick=${() => setShown(shown + SHOWN)}>Show more of ${count(found.length)}<//></div>`}
    <//>
    ${making && html`<${NewSite} onClose=${() => setMaking(false)} />`}
  <//>`;
}
