// The audit log: who changed what, when, from where, and what it was before.
import { get } from "../api.js";
import { CliLine, quote } from "../components/cli.js";
import { EmptyState } from "../components/empty.js";
import { Button, Fault, Input } from "../components/form.js";
import { useLoad } from "../components/load.js";
import { Badge, Card, Page, Table } from "../components/table.js";
import { momentOf } from "../format.js";
import { to } from "../router.js";
import { html, useEffect, useState } from "../vendor/preact.js";

const PAGE = 100;
const WAIT_MS = 250; // until somebody has stopped typing

export default function Audit() {
  const [typed, setTyped] = useState({ actor: "", action: "", site: "" });
  const [wanted, setWanted] = useState(typed);
  const [more, setMore] = useState([]);
  const [next, setNext] = useState(null);
  useEffect(() => {
    const due = setTimeout(() => setWanted(typed), WAIT_MS);
    return () => clearTimeout(due);
  }, [typed]);
  const first = useLoad(async () => {
    const page = await get("/audit", { ...wanted, limit: PAGE });
    setMore([]);
    setNext(page.next);
    return page.items;
  }, [wanted]);
  const load = async () => {
    const page = await get("/audit", { ...wanted, limit: PAGE, after: next });
    setMore([...more, ...page.items]);
    setNext(page.next);
  };
  const field = (name, label, placeholder) => html`<${Input} label=${label} placeholder=${placeholder} value=${typed[name]} onInput=${(text) => setTyped({ ...typed, [name]: text.trim() })} autocomplete="off" spellcheck=${false} />`;
  const query = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value));
  const flags = Object.entries(wanted).filter(([, value]) => value).map(([name, value]) => ` --${name} ${quote(value)}`).join("");
  return html`<${Page} title="Audit log" about="Every change: who, when, from where, and what it was before. No secret is ever in it."
    actions=${html`<${Button} icon="download" href=${`/api/audit/export?format=csv&${query}`} download="audit.csv">CSV<//><${Button} icon="download" href=${`/api/audit/export?${query}`} download="audit.ndjson">JSON<//>`}>
    <div class="grid">${field("actor", "Who", "user:ann")}${field("action", "What", "site.deploy, or site")}${field("site", "Site", "blog")}</div>
    ${first.error ? html`<${Fault} error=${first.error} />` : html`<${Card} flush label="Changes"><${Table} label="Changes" items=${first.data && [...first.data, ...more]} keyOf=${(row) => row.id}
      empty=${html`<${EmptyState} icon="audit" title="Nothing was changed that fits">Clear the fields above to see everything.<//>`} columns=${[
        { name: "When", cell: (row) => html`<span class="nowrap">${momentOf(row.at)}</span>` },
        { name: "Who", cell: (row) => html`<span class="mono small wrap">${row.actor}</span>${row.address && html`<div class="quiet small">${row.address}</div>`}` },
        { name: "What", cell: (row) => html`<${Badge}>${row.action}<//>` },
        { name: "About", cell: (row) => html`${row.site && html`<a href=${to("sites", row.site)}>${row.site}</a> `}<span class="wrap">${row.subject !== row.site && readable(row.subject)}</span><${Difference} row=${row} />` },
      ]} />
      ${next && html`<div class="padded"><${Button} onClick=${load}>Show older<//></div>`}<//>`}
    <${CliLine} command=${`fazt audit${flags}`} />
  <//>`;
}

// The id of a version is long; its beginning tells it apart.
const readable = (text) => (/^[0-9a-f]{32}$/.test(text) ? text.slice(0, 8) : text);

function Difference({ row }) {
  const before = row.before ?? {};
  const after = row.after ?? {};
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
  if (names.length === 0) return null;
  const said = (value) => (value === undefined ? "–" : readable(typeof value === "string" ? value : JSON.stringify(value)));
  return html`<div class="mono small quiet wrap">${names.slice(0, 4).map((name) => html`<div>${name}: ${said(before[name])} → ${said(after[name])}</div>`)}</div>`;
}
