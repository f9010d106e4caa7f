// Keys for the API: made, shown once, revoked.
import { del, list, post } from "../api.js";
import { CliLine, CopyButton, quote } from "../components/cli.js";
import { Dialog } from "../components/dialog.js";
import { EmptyState } from "../components/empty.js";
import { Button, Check, Form, Input, Select, useAction } from "../components/form.js";
import { LoadFault, useLoad } from "../components/load.js";
import { Badge, Card, Page, Table } from "../components/table.js";
import { toast, toastError } from "../components/toast.js";
import { ago, momentOf, namesOf, sitesOf } from "../format.js";
import { html, useState } from "../vendor/preact.js";

const ACTIONS = [
  ["read", "Read", "look at everything but secrets"],
  ["deploy", "Deploy", "make versions, set variables"],
  ["admin", "Administer", "all else"],
];
const LASTING = [["604800", "7 days"], ["2592000", "30 days"], ["31536000", "a year"], ["", "no end"]];

export default function Tokens() {
  const tokens = useLoad(() => list("/tokens"), []);
  const [making, setMaking] = useState(false);
  const make = html`<${Button} kind="primary" icon="plus" onClick=${() => setMaking(true)}>New token<//>`;
  const revoke = async (token) => {
    try {
      await del(`/tokens/${encodeURIComponent(token.id)}`);
      toast(`${token.id} is of no use any more.`);
      tokens.reload();
    } catch (error) {
      toastError(error);
    }
  };
  if (tokens.error) return html`<${Page} title="Tokens"><${LoadFault} ...${tokens} /><//>`;
  return html`<${Page} title="Tokens" about="Keys for the command line on other machines, and for scripts." actions=${make}>
    <${Card} flush label="Tokens"><${Table} label="Tokens" items=${tokens.data} keyOf=${(token) => token.id}
      empty=${html`<${EmptyState} icon="key" title="No token yet" action=${make} command="fazt token create --action deploy --site blog">A token lets another machine deploy, or a script read. Only its hash is kept.<//>`} columns=${[
        { name: "Token", cell: (token) => html`<span class="mono">${token.id}…</span>${token.label && html`<div class="quiet small wrap">${token.label}</div>`}` },
        { name: "May", cell: (token) => html`<span class="row">${token.actions.map((action) => html`<${Badge} kind=${action === "admin" ? "warning" : ""}>${action}<//>`)}</span>` },
        { name: "Sites", wide: true, cell: (token) => html`<span class="quiet wrap">${namesOf(token.sites)}</span>` },
        { name: "Used", wide: true, cell: (token) => html`<span class="quiet nowrap">${ago(token.last_used_at)}</span>` },
        { name: "Ends", cell: (token) => html`<span class="quiet nowrap">${token.expires_at ? momentOf(token.expires_at) : "never"}</span>` },
        { name: "", class: "actions", cell: (token) => html`<${Button} small kind="danger" onClick=${() => revoke(token)} aria-label=${`Revoke ${token.id}`}>Revoke<//>` },
      ]} /><//>
    ${making && html`<${NewToken} onClose=${() => { setMaking(false); tokens.reload(); }} />`}
  <//>`;
}

function NewToken({ onClose }) {
  const [label, setLabel] = useState("");
  const [sites, setSites] = useState("");
  const [actions, setActions] = useState(["read", "deploy"]);
  const [lasting, setLasting] = useState("2592000");
  const [made, setMade] = useState(null);
  const wanted = { label, actions, sites: sitesOf(sites), expires_in_s: lasting ? Number(lasting) : null };
  const [run, busy, fault] = useAction(async () => setMade(await post("/tokens", wanted)));
  const toggle = (action, on) => setActions(ACTIONS.map(([name]) => name).filter((name) => (name === action ? on : actions.includes(name))));
  const command = ["fazt token create", ...actions.map((action) => `--action ${action}`), ...(sitesOf(sites) ?? []).map((site) => `--site ${quote(site)}`)].join(" ");
  return html`<${Dialog} title="New token" onClose=${onClose}>${made ? html`
    <p>This is the token. It is shown this once: keep it where nobody else reads.</p>
    <div class="secret" data-token>${made.token}</div>
    <${CliLine} command=${`fazt remote add home ${location.origin}`} />
    <footer class="row"><${CopyButton} text=${made.token} label="Copy the token" /><${Button} kind="primary" onClick=${onClose}>Done<//></footer>` : html`
    <${Form} submit="Make the token" busy=${busy} fault=${fault} onSubmit=${run}>
      <${Input} label="What it is for" value=${label} onInput=${setLabel} maxlength="200" autofocus autocomplete="off" />
      <fieldset class="plain-fieldset"><legend>May</legend>${ACTIONS.map(([name, title, hint]) => html`<${Check} label=${title} hint=${hint} checked=${actions.includes(name)} onChange=${(on) => toggle(name, on)} />`)}</fieldset>
      <${Input} label="Only these sites" value=${sites} onInput=${setSites} hint="Names with a space between them. Empty: all sites and the server itself." autocomplete="off" spellcheck=${false} />
      <${Select} label="Ends after" options=${LASTING} value=${lasting} onChange=${setLasting} />
    <//><${CliLine} command=${command} />`}<//>`;
}
