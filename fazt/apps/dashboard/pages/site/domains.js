// The names under which a site answers besides its own: add, look where one points, take away.

import { del, get, list, post } from "../../api.js";
import { quote } from "../../components/cli.js";
import { EmptyState } from "../../components/empty.js";
import { Button, Form, Input, useAction } from "../../components/form.js";
import { LoadFault, useLoad } from "../../components/load.js";
import { Badge, Card, Table } from "../../components/table.js";
import { toast, toastError } from "../../components/toast.js";
import { html, useState } from "../../vendor/preact.js";
import { Commands, encode, may, When } from "./parts.js";

export default function Domains({ site, reload }) {
  const domains = useLoad(() => list("/domains", { site: site.name }), [site.name]);
  const again = () => Promise.all([domains.reload(), reload()]);
  const remove = async (domain) => {
    try {
      await del(`/domains/${encode(domain.name)}`);
      await again();
      toast(`${domain.name} is answered no more.`, { undo: async () => { await post("/domains", { name: domain.name, site: site.name }); await again(); } });
    } catch (error) {
      toastError(error);
    }
  };
  const empty = html`<${EmptyState} icon="site" title="No domain of its own yet" command=${`fazt domains add ${quote(site.name)} blog.example.org`}>
    The site answers at <span class="mono wrap">${site.url}</span>. To answer under another name too, point its DNS record (A, AAAA or CNAME) at this server, and add it here.<//>`;
  return html`<div class="stack">
    ${may("admin") && html`<${Card} title="Add a domain"><${Add} site=${site} onAdded=${again} /><//>`}
    <${Card} title="Domains" flush>
      ${domains.error
        ? html`<div class="padded"><${LoadFault} ...${domains} /></div>`
        : html`<${Table} label="All domains" items=${domains.data} keyOf=${({ name }) => name} empty=${empty} columns=${[
          { name: "Domain", cell: ({ name }) => html`<b class="wrap">${name}</b>` },
          { name: "Points at", cell: (domain) => html`<${Pointing} domain=${domain} />` },
          { name: "Added", wide: true, cell: ({ created_at }) => html`<${When} time=${created_at} />` },
          ...(may("admin") ? [{ name: "", class: "actions", cell: (domain) => html`<${Remove} domain=${domain} onRemove=${remove} />` }] : []),
        ]} />`}
    <//>
    <${Commands} lines=${[`fazt domains list ${quote(site.name)}`, "fazt domains check blog.example.org", "fazt domains remove blog.example.org"]} />
  </div>`;
}

function Add({ site, onAdded }) {
  const [name, setName] = useState("");
  const [run, busy, fault] = useAction(async () => {
    const wanted = name.trim().toLowerCase().replace(/^https?:\/\//, "").replace(/\/.*$/, "");
    await post("/domains", { name: wanted, site: site.name });
    setName("");
    await onAdded();
    toast(`${wanted} is answered with ${site.name}, as soon as its DNS record points here.`);
  });
  return html`<${Form} onSubmit=${run} submit="Add" busy=${busy} fault=${fault}>
    <${Input} label="Domain" placeholder="blog.example.org" value=${name} onInput=${setName} autocomplete="off" spellcheck=${false} required maxlength="253" />
  <//>`;
}

function Remove({ domain, onRemove }) {
  const [run, busy] = useAction(() => onRemove(domain));
  return html`<${Button} small kind="plain" icon="trash" busy=${busy} onClick=${run} aria-label=${`Remove ${domain.name}`}>Remove<//>`;
}

// Asked for by a click and not by itself: it makes the server ask the DNS.
function Pointing({ domain }) {
  const [found, setFound] = useState(null);
  const [run, busy, fault] = useAction(async () => setFound(await get(`/domains/${encode(domain.name)}/check`)));
  if (fault) return html`<span class="fault-text">${fault.message}</span>`;
  if (!found) return html`<${Button} small busy=${busy} onClick=${run} aria-label=${`Check ${domain.name}`}>Check<//>`;
  if (!found.addresses.length) return html`<span class="row"><${Badge} kind="warning">no address<//><span class="quiet small">The DNS has none yet.</span></span>`;
  return html`<span class="mono wrap">${found.addresses.join(", ")}</span>`;
}
