// The settings of the server: what each is, what counts and why, changed and taken back.
import { del, get, post, put, seen } from "../api.js";
import { CliLine, quote } from "../components/cli.js";
import { Dialog } from "../components/dialog.js";
import { Button, Form, Input, Select, useAction } from "../components/form.js";
import { LoadFault, useLoad } from "../components/load.js";
import { Badge, Card, Page, Table } from "../components/table.js";
import { toast } from "../components/toast.js";
import { ago } from "../format.js";
import { html, useMemo, useState } from "../vendor/preact.js";

const SOURCES = { flag: "command line", environment: "environment", database: "set here", default: "default" };
const shown = (value) => (value === "" ? "(empty)" : String(value));

export default function Settings() {
  const settings = useLoad(async () => (await get("/settings")).items, []);
  const history = useLoad(async () => (await get("/settings/history", { limit: 20 })).items, []);
  const [typed, setTyped] = useState("");
  const [open, setOpen] = useState(null);
  const found = useMemo(() => settings.data?.filter((each) => `${each.name} ${each.help}`.toLowerCase().includes(typed.toLowerCase())), [settings.data, typed]);
  const reload = () => Promise.all([settings.reload(), history.reload()]);
  // `before`: what was set here until then, null where nothing was; others may have changed other settings since.
  const done = (item, before) => {
    const undo = async () => {
      await (before === null ? del(`/settings/${item.name}`, undefined, seen(item)) : put(`/settings/${item.name}`, { value: before }, seen(item)));
      await reload();
    };
    setOpen(null);
    toast(item.restart_needed ? `${item.name} counts from the next start.` : `${item.name} is ${shown(item.value)}.`, item.secret ? {} : { undo });
    reload();
  };
  const waiting = settings.data?.filter((each) => each.restart_needed) ?? [];
  if (settings.error) return html`<${Page} title="Settings"><${LoadFault} ...${settings} /><//>`;
  return html`<${Page} title="Settings" about="Kept in the database, with their history. Most count at once.">
    ${waiting.length > 0 && html`<div class="notice warning">At the next start of the server: ${waiting.map((each) => each.name).join(", ")}.</div>`}
    <${Input} label="Find a setting" type="search" value=${typed} onInput=${setTyped} />
    <${Card} flush label="Settings"><${Table} label="Settings" items=${found ?? null} keyOf=${(item) => item.name} columns=${[
      { name: "Setting", cell: (item) => html`<span class="mono wrap">${item.name}</span><div class="quiet small">${item.help}</div>` },
      { name: "Value", cell: (item) => html`<span class="mono wrap">${shown(item.value)}</span> <span class="quiet small">${item.unit}</span>` },
      { name: "From", wide: true, cell: (item) => html`<${Badge} kind=${item.source === "default" ? "" : "accent"}>${SOURCES[item.source]}<//>` },
      { name: "", class: "actions", cell: (item) => html`<${Button} small onClick=${() => setOpen(item)} aria-label=${`Change ${item.name}`}>Change<//>` },
    ]} /><//>
    ${history.data?.length > 0 && html`<${Card} flush title="Changes"><${Table} label="Changes" items=${history.data} keyOf=${(item) => item.number} columns=${[
      { name: "When", cell: (item) => html`<span class="nowrap">${ago(item.at)}</span>` },
      { name: "Who", wide: true, cell: (item) => item.actor },
      { name: "What", cell: (item) => html`<span class="mono small wrap">${item.changed.map((each) => `${each.name}: ${each.before ?? "default"} → ${each.after ?? "default"}`).join(", ")}</span>` },
      { name: "", class: "actions", cell: (item) => html`<${Return} number=${item.number} onDone=${reload} />` },
    ]} /><//>`}
    ${open && html`<${Change} item=${open} onDone=${done} onClose=${() => setOpen(null)} />`}
  <//>`;
}

function Return({ number, onDone }) {
  const [run, busy] = useAction(async () => {
    await post("/settings/rollback", { number });
    toast(`The settings are as they were after change ${number}.`);
    onDone();
  });
  return html`<${Button} small busy=${busy} onClick=${run} aria-label=${`Return to change ${number}`}>Return to this<//>`;
}

function Change({ item, onDone, onClose }) {
  const [value, setValue] = useState(item.secret ? "" : String(item.value));
  const here = item.because.find(({ source }) => source === "database").value;
  const [run, busy, fault] = useAction(async () => {
    const given = item.type === "str" ? value : Number(value);
    if (Number.isNaN(given) || value.trim() === "" && item.type !== "str") throw new Error("This must be a number.");
    onDone(await put(`/settings/${item.name}`, { value: given }, seen(item)), here);
  });
  const [unset, unsetting] = useAction(async () => onDone(await del(`/settings/${item.name}`, undefined, seen(item)), here));
  const range = [item.low !== null && item.type !== "str" && `at least ${item.low}`, item.high !== null && item.type !== "str" && `at most ${item.high}`].filter(Boolean).join(", ");
  return html`<${Dialog} title=${item.name} onClose=${onClose}>
    <p>${item.help}</p>
    <dl class="facts">${item.because.map((said) => html`<dt>${SOURCES[said.source]}</dt><dd class="mono">${said.value === null ? "–" : shown(said.value)}</dd>`)}<dt>variable</dt><dd class="mono">${item.variable}</dd></dl>
    ${!item.editable && html`<div class="notice warning">The ${SOURCES[item.source]} counts before what is set here.</div>`}
    <${Form} busy=${busy} fault=${fault} onSubmit=${run} more=${here !== null && html`<${Button} busy=${unsetting} onClick=${unset}>Back to the default<//>`}>
      ${item.choices.length > 0 ? html`<${Select} label="Value" options=${item.choices.map((choice) => [choice, shown(choice)])} value=${value} onChange=${setValue} />`
        : html`<${Input} label=${item.unit ? `Value, ${item.unit}` : "Value"} hint=${item.secret ? "It is shown nowhere, here neither." : range} type=${item.secret ? "password" : "text"} value=${value} onInput=${setValue} autocomplete="off" spellcheck=${false} />`}
      ${!item.live && html`<p class="quiet small">Counts from the next start of the server.</p>`}
    <//><${CliLine} command=${`fazt config set ${item.name}${item.secret ? "" : ` ${quote(value)}`}`} />
  <//>`;
}
