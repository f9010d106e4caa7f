// Webhooks that others deliver here: made, switched on and off, and what they brought.
import { del, get, list, patch, post, seen } from "../api.js";
import { CliLine, CopyButton, quote } from "../components/cli.js";
import { ConfirmByName, Dialog } from "../components/dialog.js";
import { EmptyState } from "../components/empty.js";
import { Button, Fault, Input, Select, useAction } from "../components/form.js";
import { LoadFault, useLoad } from "../components/load.js";
import { SecretOnce } from "../components/secret.js";
import { Badge, Card, Page, Table } from "../components/table.js";
import { toast, toastError } from "../components/toast.js";
import { ago, bytes, count, momentOf } from "../format.js";
import { go, to } from "../router.js";
import { html, useState } from "../vendor/preact.js";

const STYLES = [["github", "GitHub"], ["stripe", "Stripe"], ["hmac", "Signed (HMAC-SHA256)"], ["none", "Not signed"]];
const HINTS = {
  github: "Checks X-Hub-Signature-256.",
  stripe: "Checks Stripe-Signature. Add the endpoint in Stripe first: it shows the secret (whsec_…).",
  hmac: "Checks X-Signature: HMAC-SHA256 of the body, in hexadecimal or base64.",
  none: "Whoever knows the address can deliver: give it a name that nobody guesses.",
};
const one = (name) => `/hooks/${encodeURIComponent(name)}`;
const styleName = (style) => STYLES.find(([name]) => name === style)?.[1] ?? style;
const isAdmin = (session) => ["owner", "admin"].includes(session.user.role);
const mayChange = (session, hook) => isAdmin(session) || (session.user.role === "editor" && hook.site !== null);
const Time = ({ at }) => html`<span title=${momentOf(at)}>${ago(at)}</span>`;

export default function Hooks({ rest, session }) {
  return rest[0] ? html`<${One} key=${rest[0]} name=${rest[0]} session=${session} />` : html`<${All} session=${session} />`;
}

function All({ session }) {
  const found = useLoad(() => list("/hooks"), []);
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState(null);
  const add = session.user.role !== "viewer" && html`<${Button} kind="primary" icon="plus" onClick=${() => setMaking(true)}>New webhook<//>`;
  const columns = [
    { name: "Webhook", cell: (hook) => html`<a href=${to("hooks", hook.name)}><b>${hook.name}</b></a>${!hook.enabled && html` <${Badge} kind="warning">off<//>`}` },
    { name: "Of", cell: (hook) => (hook.site === null ? "the server" : html`<a class="quiet" href=${to("sites", hook.site)}>${hook.site}</a>`) },
    { name: "Style", wide: true, cell: (hook) => styleName(hook.style) },
    { name: "Runs", wide: true, cell: (hook) => (hook.function ? html`<span class="mono">${hook.function}</span>` : html`<span class="quiet">nothing</span>`) },
    { name: "Received", number: true, cell: (hook) => count(hook.received) },
    { name: "Refused", number: true, cell: (hook) => (hook.refused ? html`<${Badge} kind="danger">${count(hook.refused)}<//>` : "0") },
    { name: "Last", wide: true, cell: (hook) => html`<${Time} at=${hook.last_received_at} />` },
  ];
  return html`<${Page} title="Webhooks" about="What GitHub, Stripe and others tell you: checked, kept, and run by a function of a site." actions=${add}>
    <${Card} flush label="Webhooks">
      ${found.error ? html`<div class="padded"><${LoadFault} ...${found} /></div>` : html`<${Table} label="Webhooks" columns=${columns} items=${found.data} keyOf=${(hook) => hook.name}
        empty=${html`<${EmptyState} icon="hook" title="No webhook yet" command="fazt hooks create pushes --style github --site blog --function build" action=${add}>
          A webhook is an address that another service calls when something happens there. Its signature is checked, what it brings is kept, and a function in
          <span class="mono">api/_jobs/</span> can run on it.<//>`} />`}
    <//>
    ${making && html`<${NewHook} session=${session} onMade=${(hook) => { setMaking(false); found.reload(); hook.secret ? setMade(hook) : go("hooks", hook.name); }} onClose=${() => setMaking(false)} />`}
    ${made && html`<${Made} hook=${made} onClose=${() => go("hooks", made.name)} />`}
  <//>`;
}

function Made({ hook, onClose }) {
  return html`<${SecretOnce} title=${`${hook.name} is there`} secret=${hook.secret} onClose=${onClose}>
    <p>Deliver to</p><div class="cli value"><code tabindex="0">${hook.url}</code><${CopyButton} text=${hook.url} /></div><p>and sign with this secret:</p><//>`;
}

function NewHook({ session, onMade, onClose }) {
  const sites = useLoad(() => list("/sites"), []);
  const [name, setName] = useState("");
  const [style, setStyle] = useState("github");
  const [site, setSite] = useState(null);
  const [job, setJob] = useState("");
  const [secret, setSecret] = useState("");
  const server = isAdmin(session);
  const chosen = site ?? (server ? "" : sites.data?.[0]?.name ?? "");
  const [run, busy, fault] = useAction(async () => onMade(await post("/hooks", { name, style, site: chosen || null, function: chosen && job ? job : null, secret: style !== "none" && secret ? secret : null })));
  const options = [...(server ? [["", "The server"]] : []), ...(sites.data ?? []).map((each) => [each.name, each.name])];
  const command = `fazt hooks create ${quote(name || "NAME")} --style ${style}${chosen ? ` --site ${quote(chosen)}` : ""}${chosen && job ? ` --function ${quote(job)}` : ""}${secret ? " --secret < secret.txt" : ""}`;
  return html`<${Dialog} title="New webhook" onClose=${onClose}>
    <form class="stack" autocomplete="off" onSubmit=${(event) => { event.preventDefault(); if (name) run(); }}>
      <${Input} label="Name" value=${name} onInput=${setName} placeholder="pushes" maxlength="64" required spellcheck=${false} hint="The end of its address: a-z, 0-9, - and _." />
      <${Select} label="Style" value=${style} onChange=${setStyle} options=${STYLES} hint=${HINTS[style]} />
      <${Select} label="Belongs to" value=${chosen} onChange=${setSite} options=${options} />
      ${chosen && html`<${Input} label="Function" value=${job} onInput=${setJob} placeholder="build" maxlength="64" spellcheck=${false} hint=${html`Runs <span class="mono">api/_jobs/${job || "NAME"}.js</span> on each delivery. Empty: deliveries are kept only.`} />`}
      ${style !== "none" && html`<${Input} label="Secret" type="password" value=${secret} onInput=${setSecret} autocomplete="new-password" required=${style === "stripe"} hint=${style === "stripe" ? "The signing secret that Stripe shows." : "Empty: a new one is made and shown once."} />`}
      ${fault && html`<${Fault} error=${fault} />`}
      <${CliLine} command=${command} />
      <footer><${Button} onClick=${onClose}>Cancel<//><${Button} type="submit" kind="primary" busy=${busy} disabled=${!name || (style === "stripe" && !secret)}>Make it<//></footer>
    </form>
  <//>`;
}

function One({ name, session }) {
  const found = useLoad(() => get(one(name)), [name]);
  const [doing, setDoing] = useState(null);
  const hook = found.data;
  const close = () => setDoing(null);
  if (found.error) return html`<${Page} title=${name}><${LoadFault} ...${found} /><//>`;
  if (!hook) return html`<${Page} title=${name} />`;
  const change = mayChange(session, hook);
  const turn = async () => {
    try {
      const made = await patch(one(name), { enabled: !hook.enabled }, seen(hook));
      found.set(made);
      toast(hook.enabled ? `${name} takes nothing for now.` : `${name} takes deliveries.`, { undo: async () => found.set(await patch(one(name), { enabled: hook.enabled }, seen(made))) });
    } catch (error) {
      toastError(error);
    }
  };
  const actions = change && html`<${Button} onClick=${turn}>${hook.enabled ? "Switch off" : "Switch on"}<//><${Button} onClick=${() => setDoing("change")}>Change<//><${Button} kind="danger" icon="trash" onClick=${() => setDoing("remove")}>Remove<//>`;
  return html`<${Page} title=${name} about=${html`<a href=${to("hooks")}>Webhooks</a> · ${styleName(hook.style)} · ${hook.site === null ? "of the server" : html`of <a href=${to("sites", hook.site)}>${hook.site}</a>`}${!hook.enabled ? " · switched off" : ""}`} actions=${actions}>
    <${Card} title="Deliver to">
      <div class="stack"><div class="cli value"><code tabindex="0">${hook.url}</code><${CopyButton} text=${hook.url} /></div>
      <p class="quiet small">${HINTS[hook.style]} ${hook.function ? html`Each delivery becomes a run of <span class="mono">api/_jobs/${hook.function}.js</span>.` : "Deliveries are kept; nothing runs."}
        ${" "}${count(hook.received)} received${hook.refused > 0 ? html`, <b>${count(hook.refused)} refused</b> for a wrong signature, the last ${ago(hook.last_refused_at)}` : ""}.</p></div>
    <//>
    <${Deliveries} hook=${hook} change=${change} />
    <${CliLine} command=${`fazt hooks deliveries ${quote(name)}`} />
    ${doing === "change" && html`<${ChangeHook} hook=${hook} onDone=${found.set} onClose=${close} />`}
    ${doing === "remove" && html`<${ConfirmByName} title="Remove a webhook" name=${name} action="Remove it" command=${`fazt hooks remove ${quote(name)}`}
      onConfirm=${async () => { await del(one(name)); toast(`${name} is gone.`); go("hooks"); }} onClose=${close}>What it brought goes with it, and its secret is kept nowhere else. Senders are answered 404.<//>`}
  <//>`;
}

function ChangeHook({ hook, onDone, onClose }) {
  const [style, setStyle] = useState(hook.style);
  const [job, setJob] = useState(hook.function ?? "");
  const [secret, setSecret] = useState("");
  const needsSecret = hook.style === "none" && style !== "none";
  const [run, busy, fault] = useAction(async () => {
    const body = { style, ...(hook.site !== null ? { function: job || null } : {}), ...(style !== "none" && secret ? { secret } : {}) };
    onDone(await patch(one(hook.name), body, seen(hook)));
    onClose();
    toast(`${hook.name} is changed.`);
  });
  return html`<${Dialog} title=${`Change ${hook.name}`} onClose=${onClose}>
    <form class="stack" autocomplete="off" onSubmit=${(event) => { event.preventDefault(); run(); }}>
      <${Select} label="Style" value=${style} onChange=${setStyle} options=${STYLES} hint=${HINTS[style]} />
      ${hook.site !== null && html`<${Input} label="Function" value=${job} onInput=${setJob} maxlength="64" spellcheck=${false} hint=${html`A file of <span class="mono">api/_jobs/</span> without its ending. Empty: deliveries are kept only.`} />`}
      ${style !== "none" && html`<${Input} label="New secret" type="password" value=${secret} onInput=${setSecret} autocomplete="new-password" hint=${needsSecret ? "This style needs one." : "Empty: the one that is set stays. A new one counts from the next delivery on."} />`}
      ${fault && html`<${Fault} error=${fault} />`}
      <footer><${Button} onClick=${onClose}>Cancel<//><${Button} type="submit" kind="primary" busy=${busy} disabled=${needsSecret && !secret}>Save<//></footer>
    </form>
  <//>`;
}

function Deliveries({ hook, change }) {
  const found = useLoad(() => get(`${one(hook.name)}/deliveries`, { limit: 50 }), [hook.name]);
  const [more, setMore] = useState(null);
  const [opened, setOpened] = useState(null);
  const items = found.data && [...found.data.items, ...(more?.items ?? [])];
  const next = more ? more.next : found.data?.next;
  const refresh = () => {
    setMore(null); // the pages behind begin elsewhere then
    return found.reload();
  };
  const [load, loading, fault] = useAction(async () => {
    const page = await get(`${one(hook.name)}/deliveries`, { limit: 50, after: next });
    setMore({ items: [...(more?.items ?? []), ...page.items], next: page.next });
  });
  const columns = [
    { name: "When", cell: (each) => html`<${Time} at=${each.at} />` },
    { name: "Event", cell: (each) => (each.event ? html`<span class="mono">${each.event}</span>` : html`<span class="quiet">–</span>`) },
    { name: "Size", number: true, cell: (each) => bytes(each.bytes) },
    { name: "From", wide: true, cell: (each) => html`<span class="mono">${each.address}</span>` },
    { name: "Job", wide: true, cell: (each) => (each.job ? html`<span class="mono">${each.job.slice(0, 8)}</span>${each.replays > 0 && html` <${Badge}>again ×${each.replays}<//>`}` : html`<span class="quiet">–</span>`) },
    ...(change ? [{ name: "", class: "actions", cell: (each) => html`<div class="row actions-row"><${Button} small kind="plain" onClick=${() => setOpened(each)} aria-label=${`Look at the delivery ${each.id}`}>Look<//></div>` }] : []),
  ];
  return html`<${Card} title="Deliveries" flush actions=${html`<${Button} small onClick=${refresh}>Refresh<//>`}>
    ${found.error ? html`<div class="padded"><${LoadFault} ...${found} /></div>` : html`<${Table} label="Deliveries" columns=${columns} items=${items ?? null} keyOf=${(each) => each.id}
      empty=${html`<${EmptyState} icon="hook" title="Nothing was delivered yet">Give the address and the secret to the sender. GitHub sends a ping at once, Stripe has “Send test event”.<//>`} />`}
    ${(next || fault) && html`<div class="padded stack">${fault && html`<${Fault} error=${fault} />`}<${Button} busy=${loading} onClick=${load}>Show more<//></div>`}
    ${opened && html`<${Delivery} hook=${hook} given=${opened} onChanged=${refresh} onClose=${() => setOpened(null)} />`}
  <//>`;
}

function Delivery({ hook, given, onChanged, onClose }) {
  const path = `${one(hook.name)}/deliveries/${encodeURIComponent(given.id)}`;
  const { data, error, reload } = useLoad(() => get(path), [path]);
  const [replay, busy, fault] = useAction(async () => {
    const made = await post(`${path}/replay`);
    await onChanged();
    onClose();
    toast(`It runs again as the job ${made.job.slice(0, 8)}.`);
  });
  return html`<${Dialog} title=${`Delivery ${given.id.slice(0, 8)}`} onClose=${onClose} wide>
    <div class="stack">
      ${error && html`<${LoadFault} error=${error} reload=${reload} />`}
      <p class="quiet small">${momentOf(given.at)} from <span class="mono">${given.address}</span>${given.sender_id && html`, called <span class="mono wrap">${given.sender_id}</span> by its sender`}.</p>
      ${data && html`<h3>Headers</h3><pre class="code">${Object.entries(data.headers).map(([name, value]) => `${name}: ${value}`).join("\n")}</pre>
        <h3>Body${data.encoding === "base64" ? " (in base64: it is no text)" : ""}</h3><pre class="code">${readable(data)}</pre>`}
      ${fault && html`<${Fault} error=${fault} />`}
      ${hook.function && html`<${CliLine} command=${`fazt hooks replay ${quote(hook.name)} ${given.id}`} />`}
      <footer><${Button} onClick=${onClose}>Close<//>${hook.function && html`<${Button} kind="primary" icon="rollback" busy=${busy} onClick=${replay}>Run it again<//>`}</footer>
    </div>
  <//>`;
}

function readable({ body, encoding }) {
  if (encoding !== "utf-8" || body.length > 200000) return body;
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}
