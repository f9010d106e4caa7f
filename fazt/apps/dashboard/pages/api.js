// The admin API: every call as the server itself describes it, to be read and to be tried.
import { get } from "../api.js";
import { EmptyState } from "../components/empty.js";
import { Input } from "../components/form.js";
import { LoadFault, useLoad } from "../components/load.js";
import { Badge, Card, Page, Skeleton } from "../components/table.js";
import { count } from "../format.js";
import { html, useEffect, useMemo, useState } from "../vendor/preact.js";
import { TryCall } from "./api/call.js";

const KINDS = { GET: "", POST: "good", PUT: "warning", PATCH: "warning", DELETE: "danger" };

export default function Api({ rest }) {
  const described = useLoad(() => get("/openapi.json"), []);
  const [typed, setTyped] = useState("");
  const calls = useMemo(() => described.data && callsOf(described.data), [described.data]);
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const found = calls?.filter((call) => words.every((word) => call.text.includes(word)));
  useEffect(() => {
    if (calls && rest[0]) document.getElementById(rest[0])?.scrollIntoView({ block: "start" });
  }, [calls]);
  return html`<${Page} title="API" about=${html`Whatever this dashboard and the command line do, a program can do. <a href="/api/openapi.json" target="_blank">OpenAPI</a> describes it; a token from <a href="#/tokens">Tokens</a> opens it.`}>
    <${Input} label="Find a call" type="search" value=${typed} onInput=${setTyped} placeholder="sites, POST, links …" spellcheck=${false} autocomplete="off" />
    ${described.error ? html`<${LoadFault} ...${described} />` : !calls ? html`<${Skeleton} size="block" />`
      : found.length === 0 ? html`<${Card}><${EmptyState} icon="search" title="No call is called that">Clear the search to see all ${count(calls.length)}.<//><//>`
      : byTag(found).map(([tag, of]) => html`<${Card} key=${tag} title=${tag} flush>${of.map((call) => html`
          <${Call} key=${call.id} call=${call} described=${described.data} opened=${rest[0] === call.id} />`)}<//>`)}
  <//>`;
}

// One call: a line, and all there is to know of it once that is opened.
function Call({ call, described, opened }) {
  const [open, setOpen] = useState(opened);
  const toggled = (event) => {
    setOpen(event.currentTarget.open);
    if (event.currentTarget.open && !opened) history.replaceState(null, "", `#/api/${call.id}`);
  };
  return html`<details class="api-call" id=${call.id} open=${open} onToggle=${toggled}>
    <summary><${Badge} kind=${KINDS[call.method]}>${call.method}<//> <span class="mono wrap">${call.path}</span> <span class="quiet small">${call.operation.summary}</span></summary>
    ${open && html`<div class="padded stack">
      <p>${call.operation.description} <span class="quiet small">${whoMay(call.operation["x-fazt-action"])}</span></p>
      <${TryCall} call=${call} described=${described} />
    </div>`}
  </details>`;
}

function callsOf({ paths }) {
  return Object.entries(paths).flatMap(([path, operations]) => Object.entries(operations).map(([name, operation]) => {
    const method = name.toUpperCase();
    return { id: operation.operationId, method, path, operation, tag: operation.tags[0], text: `${method} ${path} ${operation.summary} ${operation.description ?? ""}`.toLowerCase() };
  }));
}

function byTag(calls) {
  const groups = new Map();
  for (const call of calls) groups.set(call.tag, [...(groups.get(call.tag) ?? []), call]);
  return [...groups].sort(([one], [other]) => one.localeCompare(other));
}

function whoMay(action) {
  if (action === "anybody") return "Anybody may call it.";
  if (action === "signed in") return "Whoever is signed in may call it; a token may not.";
  return `It takes the action ${action}.`;
}
