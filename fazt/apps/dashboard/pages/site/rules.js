// Redirects, headers and fazt.json of a site: edited where they are, with what is wrong shown at its line, and tried out.

import { get } from "../../api.js";
import { quote } from "../../components/cli.js";
import { Button, Fault, Form, Input, useAction } from "../../components/form.js";
import { LoadFault, useLoad } from "../../components/load.js";
import { Badge, Card, Skeleton, Table } from "../../components/table.js";
import { count } from "../../format.js";
import { to } from "../../router.js";
import { html, useState } from "../../vendor/preact.js";
import { FileEditor, isEditable, liveText } from "./file_editor.js";
import { at, Commands, Segments } from "./parts.js";

const MOST_RULES = 200;

const KINDS = {
  redirects: ["_redirects", "Redirects", "One rule a line: from, to, and a status. The first that matches decides, and a file that is there wins over a rule.",
    ["/start             /                 302", "/old/*             /archive/:splat", "/log/:slug         /notes/:slug      301", "/app/*             /app/index.html   200"]],
  headers: ["_headers", "Headers", "A path, and under it, indented, the headers that answers for it carry.",
    ["/*", "  Referrer-Policy: no-referrer", "  X-Frame-Options: DENY", "/fonts/*.woff2", "  Cache-Control: public, max-age=31536000, immutable"]],
  manifest: ["fazt.json", "fazt.json", "The settings of the site. Every key is optional.",
    ['{', '  "title": "Harbour Log",', '  "spa": false,', '  "clean_urls": true,', '  "redirects": [{ "from": "/log/:slug", "to": "/notes/:slug" }]', '}']],
};

export default function Rules({ site, reload, rest }) {
  const kind = KINDS[rest[0]] ? rest[0] : "redirects";
  return html`<div class="stack">
    <${Segments} label="Kind of rules" value=${kind} options=${Object.entries(KINDS).map(([key, [, text]]) => [key, text])} hrefOf=${(key) => to("sites", site.name, "rules", key)} />
    <${RulesFile} key=${kind} site=${site} reload=${reload} kind=${kind} />
    <${Understood} site=${site} />
    <${Try} site=${site} />
    <${Commands} lines=${[`fazt route list ${quote(site.name)}`, `fazt route explain ${quote(`${site.url}`)}`, `fazt deploy . --site ${quote(site.name)}`]} />
  </div>`;
}

function RulesFile({ site, reload, kind }) {
  const [path, title, about, example] = KINDS[kind];
  const content = useLoad(() => liveText(site, path), [site.name, path, site.live_version]);
  const [last, setLast] = useState(null);
  if (content.data && content.data !== last) setLast(content.data);
  const known = content.data ?? last;
  return html`<${Card} title=${title} flush>
    <div class="padded stack rules-file">
      <p class="quiet">${about}</p>
      ${content.error ? html`<${LoadFault} ...${content} />` : !known ? html`<${Skeleton} size="block" />`
        : known.isBinary ? html`<p>${path} is no text.</p>`
        : html`<${FileEditor} site=${site} path=${path} text=${known.text} version=${known.version} editable=${isEditable(site)} reload=${reload} />`}
      <details class="commands"><summary class="quiet small">An example</summary><pre class="code" tabindex="0">${example.join("\n")}</pre></details>
    </div>
  <//>`;
}

// The rules of all files together, as the server has understood them.
function Understood({ site }) {
  const found = useLoad(() => (site.live_version ? get(at(site.name, "versions", "live", "rules")) : { redirects: [], headers: [] }), [site.live_version]);
  const place = ({ where }) => html`<span class="quiet mono small">${where}</span>`;
  const redirects = [
    { name: "From", cell: (rule) => html`<span class="mono wrap">${rule.from}${rule.query.map(([name, value]) => ` ${name}=${value}`)}</span>` },
    { name: "To", cell: (rule) => html`<span class="mono wrap">${rule.to}</span>` },
    { name: "Status", cell: (rule) => html`<${Badge}>${rule.status}${rule.force ? "!" : ""}<//>` },
    { name: "Where", wide: true, cell: place },
  ];
  const headers = [
    { name: "Path", cell: (rule) => html`<span class="mono wrap">${rule.path}</span>` },
    { name: "Headers", cell: (rule) => html`${rule.set.map(([name, value]) => html`<div class="mono small wrap">${name}: ${value}</div>`)}${rule.unset.map((name) => html`<div class="mono small quiet">! ${name}</div>`)}` },
    { name: "Where", wide: true, cell: place },
  ];
  if (found.error) return html`<${LoadFault} ...${found} />`;
  if (!found.data?.redirects.length && !found.data?.headers.length) return null;
  return html`<${Card} title="Rules that count, in their order" flush>
    ${found.data.redirects.length > 0 && html`<${Table} label="Redirects" columns=${redirects} items=${found.data.redirects.slice(0, MOST_RULES)} keyOf=${(rule) => rule.where + rule.from} />`}
    ${found.data.headers.length > 0 && html`<${Table} label="Headers" columns=${headers} items=${found.data.headers.slice(0, MOST_RULES)} keyOf=${(rule) => rule.where + rule.path} />`}
    ${found.data.redirects.length > MOST_RULES && html`<p class="padded quiet small">and ${count(found.data.redirects.length - MOST_RULES)} more redirects</p>`}
  <//>`;
}

// Where an address leads, and each decision on the way.
function Try({ site }) {
  const [path, setPath] = useState("/");
  const [found, setFound] = useState(null);
  const [run, busy, fault] = useAction(async () => setFound(await get("/route", { url: site.url.replace(/\/$/, "") + (path.startsWith("/") ? path : `/${path}`) })));
  return html`<${Card} title="Where does an address lead?">
    <div class="stack">
      <form class="row try-line" onSubmit=${(event) => { event.preventDefault(); run(); }}>
        <div class="grow"><${Input} label="Path" value=${path} onInput=${setPath} spellcheck=${false} autocomplete="off" /></div>
        <${Button} type="submit" busy=${busy}>Explain<//>
      </form>
      ${fault && html`<${Fault} error=${fault} />`}
      ${found && html`<ol class="steps">${found.steps.map((each, index) => html`<li key=${index}><b>${each.step}</b> <span class="wrap">${each.result}</span></li>`)}</ol>
        <dl class="facts">
          <dt>Status</dt><dd>${found.answer.status}</dd>
          ${found.answer.file && html`<dt>File</dt><dd class="mono">${found.answer.file}</dd>`}
          ${headersOf(found.answer.headers).map(([name, value], index) => html`<dt key=${index} class="mono">${name}</dt><dd class="mono">${value}</dd>`)}
        </dl>`}
    </div>
  <//>`;
}

const headersOf = (headers) => (Array.isArray(headers) ? headers : Object.entries(headers ?? {}));
