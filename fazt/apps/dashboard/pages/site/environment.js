// Variables and secrets of a site's functions. A secret goes in and never comes out again.

import { del, list, put } from "../../api.js";
import { quote } from "../../components/cli.js";
import { ConfirmByName, Dialog } from "../../components/dialog.js";
import { EmptyState } from "../../components/empty.js";
import { Button, Fault, Input, TextArea, useAction } from "../../components/form.js";
import { LoadFault, useLoad } from "../../components/load.js";
import { Card, Table } from "../../components/table.js";
import { toast, toastError } from "../../components/toast.js";
import { html, useState } from "../../vendor/preact.js";
import { at, Commands, may, When } from "./parts.js";

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

export default function Environment({ site }) {
  return html`<div class="stack"><${Variables} site=${site} /><${Secrets} site=${site} />
    <${Commands} lines=${[`fazt env list ${quote(site.name)}`, `fazt env set ${quote(site.name)} GREETING=hello`, `fazt secrets set ${quote(site.name)} API_KEY < key.txt`]} /></div>`;
}

function Variables({ site }) {
  const found = useLoad(() => list(at(site.name, "env")), [site.name]);
  const [edited, setEdited] = useState(null);
  const change = may("deploy") && !site.locked;
  const remove = async ({ name, value }) => {
    try {
      await del(at(site.name, "env", name));
      await found.reload();
      toast(`${name} is gone.`, { undo: async () => { await put(at(site.name, "env", name), { value }); await found.reload(); } });
    } catch (error) {
      toastError(error);
    }
  };
  const add = change && html`<${Button} small kind="primary" icon="plus" onClick=${() => setEdited({ name: "", value: "", isNew: true })}>Add a variable<//>`;
  return html`<${Card} title="Variables" flush actions=${add}>
    ${found.error ? html`<div class="padded"><${LoadFault} ...${found} /></div>` : html`<${Table} label="All variables" items=${found.data} keyOf=${({ name }) => name} columns=${[
      { name: "Name", cell: ({ name }) => html`<b class="mono wrap">${name}</b>` },
      { name: "Value", cell: ({ value }) => html`<span class="mono wrap short-value">${value.length > 200 ? `${value.slice(0, 200)}…` : value}</span>` },
      { name: "Changed", wide: true, cell: ({ updated_at }) => html`<${When} time=${updated_at} />` },
      ...(change ? [{ name: "", class: "actions", cell: (variable) => html`<div class="row actions-row">
        <${Button} small kind="plain" onClick=${() => setEdited(variable)} aria-label=${`Change ${variable.name}`}>Change<//>
        <${Button} small kind="plain" icon="trash" onClick=${() => remove(variable)} aria-label=${`Remove ${variable.name}`} title="Remove" /></div>` }] : []),
    ]} empty=${html`<${EmptyState} icon="settings" title="No variables" command=${`fazt env set ${quote(site.name)} GREETING=hello`}>
      Functions find them in <span class="mono">env.NAME</span>. Values that may be seen belong here, all others under secrets. <span class="mono">env</span> in fazt.json gives defaults.<//>`} />`}
    ${edited && html`<${EditVariable} site=${site} variable=${edited} onDone=${found.reload} onClose=${() => setEdited(null)} />`}
  <//>`;
}

function EditVariable({ site, variable, onDone, onClose }) {
  const [name, setName] = useState(variable.name);
  const [value, setValue] = useState(variable.value);
  const [run, busy, fault] = useAction(async () => {
    await put(at(site.name, "env", name), { value });
    await onDone();
    onClose();
    const before = variable.isNew ? null : variable.value;
    toast(`${name} is set.`, { undo: async () => { await (before === null ? del(at(site.name, "env", name)) : put(at(site.name, "env", name), { value: before })); await onDone(); } });
  });
  return html`<${Dialog} title=${variable.isNew ? "Add a variable" : `Change ${variable.name}`} onClose=${onClose}>
    <form class="stack" onSubmit=${(event) => { event.preventDefault(); if (NAME.test(name)) run(); }}>
      <${NameInput} value=${name} onInput=${setName} readonly=${!variable.isNew} />
      <${TextArea} label="Value" value=${value} onInput=${setValue} spellcheck=${false} />
      ${fault && html`<${Fault} error=${fault} />`}
      <footer><${Button} onClick=${onClose}>Cancel<//><${Button} type="submit" kind="primary" busy=${busy} disabled=${!NAME.test(name)}>Set it<//></footer>
    </form>
  <//>`;
}

function NameInput({ value, onInput, ...rest }) {
  return html`<${Input} label="Name" value=${value} onInput=${onInput} autocomplete="off" spellcheck=${false} maxlength="128"
    fault=${value && !NAME.test(value) ? "Letters, digits and _, and no digit at the beginning." : null} ...${rest} />`;
}

function Secrets({ site }) {
  const found = useLoad(() => list(at(site.name, "secrets")), [site.name]);
  const [edited, setEdited] = useState(null);
  const [going, setGoing] = useState(null);
  const change = may("deploy") && !site.locked;
  const add = change && html`<${Button} small kind="primary" icon="plus" onClick=${() => setEdited("")}>Add a secret<//>`;
  return html`<${Card} title="Secrets" flush actions=${add}>
    ${found.error ? html`<div class="padded"><${LoadFault} ...${found} /></div>` : html`<${Table} label="All secrets" items=${found.data} keyOf=${({ name }) => name} columns=${[
      { name: "Name", cell: ({ name }) => html`<b class="mono wrap">${name}</b>` },
      { name: "Value", cell: () => html`<span class="quiet">set, never shown</span>` },
      { name: "Changed", wide: true, cell: ({ updated_at }) => html`<${When} time=${updated_at} />` },
      ...(change ? [{ name: "", class: "actions", cell: ({ name }) => html`<div class="row actions-row">
        <${Button} small kind="plain" onClick=${() => setEdited(name)} aria-label=${`Replace ${name}`}>Replace<//>
        <${Button} small kind="plain" icon="trash" onClick=${() => setGoing(name)} aria-label=${`Remove ${name}`} title="Remove" /></div>` }] : []),
    ]} empty=${html`<${EmptyState} icon="key" title="No secrets" command=${`fazt secrets set ${quote(site.name)} API_KEY < key.txt`}>
      Keys and passwords that functions need. They find them in <span class="mono">fazt.secrets</span>; nobody is ever shown one again, and logs hide them.<//>`} />`}
    ${edited !== null && html`<${SetSecret} site=${site} given=${edited} onDone=${found.reload} onClose=${() => setEdited(null)} />`}
    ${going && html`<${ConfirmByName} title="Remove a secret" name=${going} action="Remove it" command=${`fazt secrets remove ${quote(site.name)} ${going}`}
      onConfirm=${async () => { await del(at(site.name, "secrets", going)); await found.reload(); toast(`${going} is gone.`); }} onClose=${() => setGoing(null)}>
      Functions that need it will fail. Its value is kept nowhere else, so this cannot be undone.<//>`}
  <//>`;
}

function SetSecret({ site, given, onDone, onClose }) {
  const [name, setName] = useState(given);
  const [value, setValue] = useState("");
  const [run, busy, fault] = useAction(async () => {
    await put(at(site.name, "secrets", name), { value });
    await onDone();
    onClose();
    toast(`The secret ${name} is set. It is not shown again.`);
  });
  return html`<${Dialog} title=${given ? `Replace ${given}` : "Add a secret"} onClose=${onClose}>
    <form class="stack" autocomplete="off" onSubmit=${(event) => { event.preventDefault(); if (NAME.test(name) && value) run(); }}>
      <${NameInput} value=${name} onInput=${setName} readonly=${given !== ""} />
      <${TextArea} label="Value" hint="Write-only: it is stored, handed to the site's functions, and never shown again." value=${value} onInput=${setValue} spellcheck=${false} autocomplete="off" />
      ${fault && html`<${Fault} error=${fault} />`}
      <footer><${Button} onClick=${onClose}>Cancel<//><${Button} type="submit" kind="primary" busy=${busy} disabled=${!NAME.test(name) || !value}>Set it<//></footer>
    </form>
  <//>`;
}
