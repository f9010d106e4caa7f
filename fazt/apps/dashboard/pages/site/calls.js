// Calls that went wrong: which, why, with what they were asked, and the same once more on the code that is live now.

import { get, lines, post } from "../../api.js";
import { CliLine, quote } from "../../components/cli.js";
import { EmptyState } from "../../components/empty.js";
import { Button, Fault, useAction } from "../../components/form.js";
import { Icon } from "../../components/icons.js";
import { LoadFault, useLoad } from "../../components/load.js";
import { Badge, Card, Skeleton, Table } from "../../components/table.js";
import { milliseconds } from "../../format.js";
import { to } from "../../router.js";
import { html, useState } from "../../vendor/preact.js";
import { encode, may, When } from "./parts.js";
import { Answer, Console, Failure } from "./try.js";

async function failedCalls(site) {
  const found = [];
  for await (const line of lines("/logs", { site, limit: 1000 })) if (line.kind === "call" && line.error) found.push(line);
  return found.reverse();
}

export function FailedCalls({ site, changes }) {
  const calls = useLoad(() => failedCalls(site.name), [site.name, changes]);
  if (calls.error) return html`<${LoadFault} ...${calls} />`;
  return html`<${Card} title="Failed calls" flush actions=${html`<${Button} small onClick=${calls.reload}>Look again<//>`}>
    <${Table} label="Calls that failed" items=${calls.data} keyOf=${({ call }) => call} columns=${[
      { name: "Call", cell: (call) => html`<a class="mono wrap" href=${to("sites", site.name, "functions", "calls", call.call)}>${call.method ?? call.function} ${call.name}</a>` },
      { name: "Why", cell: (call) => html`<span class="wrap">${call.failure?.message || call.error}</span>` },
      { name: "Took", number: true, wide: true, cell: (call) => milliseconds(call.duration_us / 1000) },
      { name: "When", cell: (call) => html`<${When} time=${call.at} />` },
    ]} empty=${html`<${EmptyState} icon="check" title="No call has failed">The last 100 that do are kept with their request, so that each can be looked at and made again.<//>`} />
  <//>`;
}

export function FailedCall({ site, id }) {
  const call = useLoad(() => get(`/calls/${encode(id)}`), [id]);
  const [again, setAgain] = useState(null);
  const [run, busy, fault] = useAction(async () => setAgain(await post(`/calls/${encode(id)}/replay`)));
  const back = html`<a class="row" href=${to("sites", site.name, "functions", "calls")}><${Icon} name="rollback" />All failed calls</a>`;
  if (call.error) return html`<div class="stack">${back}${call.error.status === 404
    ? html`<${EmptyState} icon="jobs" title="This call is not kept any more">The last 100 failed calls of a site are.<//>` : html`<${LoadFault} ...${call} />`}</div>`;
  const { data } = call;
  if (!data) return html`<div class="stack">${back}<${Skeleton} size="block" /></div>`;
  const canReplay = data.function === "http" && may("deploy");
  return html`<div class="stack">${back}
    <${Card} title=${`${data.method ?? data.function} ${data.name}`} actions=${canReplay && html`<${Button} kind="primary" busy=${busy} onClick=${run}>Replay<//>`}>
      <div class="stack">
        <div class="row"><${Badge} kind="danger">${data.status || "failed"}<//><span class="quiet small">${milliseconds(data.duration_us / 1000)}, <${When} time=${data.at} /></span></div>
        <${Failure} call=${data} />
        <${Console} logs=${data.logs} />
        <${Request} request=${data.request} />
        ${fault && html`<${Fault} error=${fault} />`}
        <${CliLine} command=${`fazt replay ${quote(id)}`} />
      </div>
    <//>
    ${again && html`<${Card} title="The same on the live version"><${Answer} answer=${again} /><//>`}
  </div>`;
}

function Request({ request }) {
  if (!request) return null;
  if (!request.path) return html`<dl class="facts"><dt>Handler</dt><dd class="mono">${request.handler}</dd><dt>Kind</dt><dd>${request.kind}</dd></dl>`;
  return html`<div class="stack tight"><h3>Request</h3><pre class="code" tabindex="0">${`${request.method} ${request.path}\n${(request.headers ?? []).map(([name, value]) => `${name}: ${value}`).join("\n")}${request.body ? `\n\n${decoded(request.body)}` : ""}`}</pre></div>`;
}

function decoded(body) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(atob(body), (each) => each.charCodeAt(0)));
  } catch {
    return "(no text)";
  }
}
