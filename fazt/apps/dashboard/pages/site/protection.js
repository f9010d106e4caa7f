// Who may see a site: a password, people with an account, addresses; and links that let somebody in for a while.

import { del, get, list, post, put } from "../../api.js";
import { CopyButton, quote } from "../../components/cli.js";
import { ConfirmByName, Dialog } from "../../components/dialog.js";
import { EmptyState } from "../../components/empty.js";
import { Button, Check, Fault, Input, Select, TextArea, useAction } from "../../components/form.js";
import { LoadFault, useLoad } from "../../components/load.js";
import { Badge, Card, Table } from "../../components/table.js";
import { toast } from "../../components/toast.js";
import { count, momentOf, shortId } from "../../format.js";
import { html, useState } from "../../vendor/preact.js";
import { at, Commands, may, When } from "./parts.js";

export default function Protection({ site }) {
  return html`<div class="stack"><${Rules} site=${site} /><${Shares} site=${site} />
    <${Commands} lines=${[`fazt protect ${quote(site.name)} --password`, `fazt protect ${quote(site.name)} --off`, `fazt share create ${quote(site.name)} --expires 7d`, `fazt share list ${quote(site.name)}`]} /></div>`;
}

function Rules({ site }) {
  const found = useLoad(() => get(at(site.name, "protection")), [site.name]);
  const [edited, setEdited] = useState(null);
  const change = may("admin") && !site.locked;
  const rules = found.data?.rules;
  const save = async (next) => {
    const options = { headers: { "If-Match": `"${found.data.revision}"` } };
    if (next.length) await put(at(site.name, "protection"), { rules: next }, options);
    else await del(at(site.name, "protection"), undefined, options);
    await found.reload();
  };
  const removed = async (index) => {
    await save(rules.filter((_, each) => each !== index).map(asSent));
  };
  const [remove, , fault] = useAction(removed);
  return html`<${Card} title="Who may see it" flush actions=${change && rules && html`<${Button} small kind="primary" icon="plus" onClick=${() => setEdited({ index: null })}>Protect paths<//>`}>
    ${fault && html`<div class="padded"><${Fault} error=${fault} /></div>`}
    ${found.error ? html`<div class="padded"><${LoadFault} ...${found} /></div>` : html`<${Table} label="Protected paths" items=${rules} keyOf=${(rule) => rules.indexOf(rule)} columns=${[
      { name: "Paths", cell: (rule) => html`<span class="mono wrap">${rule.paths.join(", ")}</span>${rule.previews ? html` <${Badge}>previews only<//>` : ""}` },
      { name: "Who may", cell: (rule) => html`<${Ways} rule=${rule} />` },
      ...(change ? [{ name: "", class: "actions", cell: (rule) => html`<div class="row actions-row">
        <${Button} small kind="plain" onClick=${() => setEdited({ index: rules.indexOf(rule), rule })}>Change<//>
        <${Button} small kind="plain" icon="trash" onClick=${() => setEdited({ index: rules.indexOf(rule), rule, going: true })} aria-label=${`Open ${rule.paths.join(", ")} to all`} title="Open to all" /></div>` }] : []),
    ]} empty=${html`<${EmptyState} icon="lock" title="Nothing is protected here" command=${`fazt protect ${quote(site.name)} --password`}
      action=${change && html`<${Button} kind="primary" onClick=${() => setEdited({ index: null })}>Protect it<//>`}>Ask visitors for a password, let in only people with an account here, or only some addresses; for the whole site or for some paths. Until then <span class="mono">protect</span> in fazt.json decides, if it is there.<//>`} />`}
    ${rules?.length > 1 && html`<p class="padded quiet small">The first rule about a path counts.</p>`}
    ${edited && !edited.going && html`<${EditRule} site=${site} rules=${rules} edited=${edited} onSave=${save} onClose=${() => setEdited(null)} />`}
    ${edited?.going && html`<${ConfirmByName} title="Open to everybody" name=${site.name} action="Open it" command=${`fazt protect ${quote(site.name)} --off`}
      onConfirm=${() => remove(edited.index)} onClose=${() => setEdited(null)}>Everybody will see, unless another rule or fazt.json says otherwise: <b class="mono">${edited.rule.paths.join(", ")}</b>. Its password is forgotten.<//>`}
  <//>`;
}

function Ways({ rule }) {
  const ways = [rule.password && "who knows the password", rule.users && "people with an account", rule.addresses?.length && `from ${rule.addresses.join(", ")}`].filter(Boolean);
  return html`<span class="wrap">${ways.join(", or ") || "nobody"}</span>`;
}

// As the API takes a rule: a password that is set stays set with `true`.
const asSent = (rule) => ({ paths: rule.paths, password: Boolean(rule.password), users: Boolean(rule.users), addresses: rule.addresses ?? [], previews: Boolean(rule.previews) });
const wordsOf = (text) => text.split(/[\s,]+/).filter(Boolean);

function EditRule({ site, rules, edited, onSave, onClose }) {
  const { rule } = edited;
  const [paths, setPaths] = useState(rule ? rule.paths.join("\n") : "/*");
  const [withPassword, setWithPassword] = useState(rule ? Boolean(rule.password) : true);
  const [password, setPassword] = useState("");
  const [users, setUsers] = useState(Boolean(rule?.users));
  const [previews, setPreviews] = useState(Boolean(rule?.previews));
  const [addresses, setAddresses] = useState((rule?.addresses ?? []).join("\n"));
  const isKept = Boolean(rule?.password) && password === "";
  const sound = wordsOf(paths).length > 0 && (withPassword ? isKept || password.length >= 4 : users || wordsOf(addresses).length > 0);
  const [run, busy, fault] = useAction(async () => {
    const made = { paths: wordsOf(paths), password: withPassword ? password || true : false, users, addresses: wordsOf(addresses), previews };
    const others = rules.map(asSent);
    await onSave(edited.index === null ? [...others, made] : others.map((each, index) => (index === edited.index ? made : each)));
    onClose();
    toast("Protected. Visitors see that at once.");
  });
  return html`<${Dialog} title=${rule ? "Change who may see it" : "Protect paths"} onClose=${onClose}>
    <form class="stack" onSubmit=${(event) => { event.preventDefault(); if (sound) run(); }}>
      <${TextArea} label="Paths" hint="One a line. /* is the whole site, /drafts/* a folder." value=${paths} onInput=${setPaths} spellcheck=${false} rows="2" />
      <${Check} label="Who knows a password" checked=${withPassword} onChange=${setWithPassword} />
      ${withPassword && html`<${Input} label="Password" type="password" autocomplete="new-password" value=${password} onInput=${setPassword} hint=${rule?.password ? "Leave it empty to keep the present one." : "Visitors are asked once per browser and 12 hours. Another one shuts out who was in."} />`}
      <${Check} label="People with an account on this server" checked=${users} onChange=${setUsers} />
      <${TextArea} label="Addresses" hint="One a line: 192.0.2.7 or 192.0.2.0/24. Who comes from one is not asked." value=${addresses} onInput=${setAddresses} spellcheck=${false} rows="2" />
      <${Check} label="Only previews of versions" hint="What is live stays open." checked=${previews} onChange=${setPreviews} />
      ${fault && html`<${Fault} error=${fault} />`}
      <footer><${Button} onClick=${onClose}>Cancel<//><${Button} type="submit" kind="primary" busy=${busy} disabled=${!sound}>Protect<//></footer>
    </form>
  <//>`;
}

function Shares({ site }) {
  const found = useLoad(() => list(at(site.name, "shares")), [site.name]);
  const [making, setMaking] = useState(false);
  const [going, setGoing] = useState(null);
  const change = may("deploy");
  return html`<${Card} title="Share links" flush actions=${change && html`<${Button} small kind="primary" icon="plus" onClick=${() => setMaking(true)}>Make a link<//>`}>
    ${found.error ? html`<div class="padded"><${LoadFault} ...${found} /></div>` : html`<${Table} label="All share links" items=${found.data} keyOf=${({ id }) => id} columns=${[
      { name: "For", cell: (share) => html`<div class="stack tight"><span class="wrap">${share.label || html`<span class="quiet">no label</span>`}</span><span class="mono small quiet wrap">${share.path}${share.version ? ` of ${shortId(share.version)}` : ""}</span></div>` },
      { name: "Ends", cell: (share) => html`<${Ends} at=${share.expires_at} />` },
      { name: "Used", number: true, wide: true, cell: (share) => count(share.uses) },
      { name: "Made", wide: true, cell: (share) => html`<${When} time=${share.created_at} />${share.made_by && html` <span class="quiet small">by ${share.made_by}</span>`}` },
      ...(change ? [{ name: "", class: "actions", cell: (share) => html`<${Button} small kind="plain" icon="trash" onClick=${() => setGoing(share)} aria-label=${`Revoke ${share.label || share.path}`}>Revoke<//>` }] : []),
    ]} empty=${html`<${EmptyState} icon="link" title="No share links" command=${`fazt share create ${quote(site.name)} --expires 7d`}>A link lets whoever has it see a protected site, some paths or one preview, until it ends or is revoked. No account, no password.<//>`} />`}
    ${making && html`<${MakeShare} site=${site} onDone=${found.reload} onClose=${() => setMaking(false)} />`}
    ${going && html`<${Revoke} site=${site} share=${going} onDone=${found.reload} onClose=${() => setGoing(null)} />`}
  <//>`;
}

function Ends({ at: time }) {
  if (!time) return html`<span class="quiet">never</span>`;
  return new Date(time) < new Date() ? html`<${Badge}>ended<//>` : html`<span title=${momentOf(time)}><${When} time=${time} /></span>`;
}

const TIMES = [["3600", "1 hour"], ["86400", "1 day"], ["604800", "7 days"], ["2592000", "30 days"], ["31536000", "1 year"]];

function MakeShare({ site, onDone, onClose }) {
  const versions = useLoad(() => get(at(site.name, "versions"), { limit: 50 }), [site.name]);
  const [path, setPath] = useState("/*");
  const [version, setVersion] = useState("");
  const [time, setTime] = useState("604800");
  const [label, setLabel] = useState("");
  const [made, setMade] = useState(null);
  const [run, busy, fault] = useAction(async () => {
    setMade(await post(at(site.name, "shares"), { path, version: version || null, expires_in_s: Number(time), label }));
    await onDone();
  });
  if (made) {
    return html`<${Dialog} title="The link, shown this once" onClose=${onClose}>
      <p>Whoever has it can look, until ${momentOf(made.expires_at)}. It cannot be shown again; a new one can be made at any time.</p>
      <div class="secret" data-testid="share-url">${made.url}</div>
      <footer><${CopyButton} text=${made.url} label="Copy the link" /><${Button} kind="primary" onClick=${onClose}>Done<//></footer>
    <//>`;
  }
  const options = [["", "What is live"], ...(versions.data?.items ?? []).map((each) => [each.id, `Preview of ${shortId(each.id)} ${each.message.slice(0, 40)}`])];
  return html`<${Dialog} title="Make a share link" onClose=${onClose}>
    <form class="stack" onSubmit=${(event) => { event.preventDefault(); run(); }}>
      <${Input} label="Label" hint="For you, to know it again." value=${label} onInput=${setLabel} maxlength="100" />
      <${Input} label="Path" hint="/* is the whole site." value=${path} onInput=${setPath} spellcheck=${false} required />
      <${Select} label="Version" value=${version} onChange=${setVersion} options=${options} />
      <${Select} label="Ends after" value=${time} onChange=${setTime} options=${TIMES} />
      ${fault && html`<${Fault} error=${fault} />`}
      <footer><${Button} onClick=${onClose}>Cancel<//><${Button} type="submit" kind="primary" busy=${busy}>Make it<//></footer>
    </form>
  <//>`;
}

function Revoke({ site, share, onDone, onClose }) {
  const [run, busy, fault] = useAction(async () => {
    await del(at(site.name, "shares", share.id));
    await onDone();
    onClose();
    toast("The link leads nowhere now.");
  });
  return html`<${Dialog} title="Revoke a share link" onClose=${onClose}>
    <p>Whoever has <b>${share.label || share.path}</b> is shut out at once. The link cannot be brought back; another can be made.</p>
    ${fault && html`<${Fault} error=${fault} />`}
    <footer><${Button} onClick=${onClose}>Keep it<//><${Button} kind="danger primary" busy=${busy} onClick=${run}>Revoke<//></footer>
  <//>`;
}
