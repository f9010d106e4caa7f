// The jobs and the cron triggers of a site: what ran, what will, and how to stop or repeat it.

import { get, list, post } from "../../api.js";
import { quote } from "../../components/cli.js";
import { Dialog } from "../../components/dialog.js";
import { EmptyState } from "../../components/empty.js";
import { Button, useAction } from "../../components/form.js";
import { LoadFault, useLoad } from "../../components/load.js";
import { Badge, Card, Skeleton, Table } from "../../components/table.js";
import { toast, toastError } from "../../components/toast.js";
import { momentOf } from "../../format.js";
import { html, useState } from "../../vendor/preact.js";
import { Choice, Commands, encode, may, When } from "./parts.js";

const STATES = [["", "All"], ["waiting", "Waiting"], ["running", "Running"], ["done", "Done"], ["failed", "Failed"], ["cancelled", "Cancelled"]];
const KINDS = { waiting: "", running: "accent", done: "good", failed: "danger", cancelled: "" };

export const StateBadge = ({ state }) => html`<${Badge} kind=${KINDS[state] ?? ""}>${state}<//>`;

// An action of a row: runs, says what went wrong, and loads the list again.
function RowButton({ run: work, done, children, label, ...rest }) {
  const [run, busy] = useAction(async () => {
    try {
      await work();
      if (done) toast(done);
    } catch (error) {
      toastError(error);
    }
  });
  return html`<${Button} small busy=${busy} onClick=${run} aria-label=${label} ...${rest}>${children}<//>`;
}

export function Jobs({ site, changes }) {
  const [state, setState] = useState("");
  const [shown, setShown] = useState(null);
  const jobs = useLoad(() => get("/jobs", { site: site.name, state, limit: 100 }), [site.name, state, changes]);
  const act = (job, what) => async () => { await post(`/jobs/${encode(job.id)}/${what}`); await jobs.reload(); };
  const empty = html`<${EmptyState} icon="jobs" title=${state ? `No job is ${state}` : "No jobs"} command=${`fazt jobs list ${quote(site.name)}`}>
    Functions put off work with <span class="mono">await fazt.jobs.enqueue("name", data)</span>. It runs soon after, is tried again when it fails, and shows here.<//>`;
  return html`<div class="stack">
    <${Card} title="Jobs" flush actions=${html`<${Choice} label="State" options=${STATES} value=${state} onChange=${setState} />`}>
      ${jobs.error ? html`<div class="padded"><${LoadFault} ...${jobs} /></div>` : html`<${Table} label="All jobs" items=${jobs.data?.items} keyOf=${({ id }) => id} empty=${empty} columns=${[
        { name: "Job", cell: (job) => html`<button type="button" class="link-button wrap" onClick=${() => setShown(job)}>${job.name}</button>${job.kind === "cron" ? html` <${Badge}>cron<//>` : ""}` },
        { name: "State", cell: (job) => html`<span class="row"><${StateBadge} state=${job.state} />${job.state !== "done" && job.attempts > 0 ? html`<span class="quiet small nowrap">${job.attempts} of ${job.max_attempts}</span>` : ""}</span>` },
        { name: "Made", wide: true, cell: (job) => html`<${When} time=${job.created_at} />` },
        ...(may("admin") ? [{ name: "", class: "actions", cell: (job) => html`<div class="row actions-row">
          ${["failed", "cancelled", "waiting"].includes(job.state) && html`<${RowButton} run=${act(job, "retry")} done="It runs now." label=${`${job.state === "waiting" ? "Run now" : "Retry"}: ${job.name}`}>${job.state === "waiting" ? "Run now" : "Retry"}<//>`}
          ${["waiting", "running"].includes(job.state) && html`<${RowButton} kind="plain" run=${act(job, "cancel")} done="Cancelled." label=${`Cancel ${job.name}`}>Cancel<//>`}</div>` }] : []),
      ]} />`}
    <//>
    <${Commands} lines=${[`fazt jobs list ${quote(site.name)}${state ? ` --state ${state}` : ""}`, "fazt jobs retry JOB", "fazt jobs cancel JOB"]} />
    ${shown && html`<${JobDialog} job=${shown} onClose=${() => setShown(null)} />`}
  </div>`;
}

function JobDialog({ job, onClose }) {
  const facts = [["State", html`<${StateBadge} state=${job.state} />`], ["Handler", html`<span class="mono">${job.handler}</span>`], ["Attempts", `${job.attempts} of ${job.max_attempts}`],
    ["Made", momentOf(job.created_at)], ["Due", momentOf(job.run_at)], ["Began", momentOf(job.started_at)], ["Ended", momentOf(job.finished_at)], ["Id", html`<span class="mono">${job.id}</span>`]];
  return html`<${Dialog} title=${job.name} onClose=${onClose}>
    <dl class="facts">${facts.map(([name, value]) => html`<dt key=${name}>${name}</dt><dd>${value}</dd>`)}</dl>
    ${job.error && html`<div class="notice danger"><pre class="stack-trace">${job.error}</pre></div>`}
    ${[["Data", job.data], ["Result", job.result]].map(([name, value]) => value !== null && value !== undefined && html`<div class="stack tight" key=${name}><h3>${name}</h3><pre class="code" tabindex="0">${JSON.stringify(value, null, 2)}</pre></div>`)}
  <//>`;
}

export function Cron({ site, changes }) {
  const triggers = useLoad(() => list("/cron", { site: site.name, upcoming: 3 }), [site.name, changes]);
  const [shown, setShown] = useState(null);
  const act = (trigger, what) => async () => { await post(`/cron/${encode(site.name)}/${encode(trigger.name)}/${what}`); await triggers.reload(); };
  const empty = html`<${EmptyState} icon="jobs" title="Nothing runs by the clock" command=${`fazt cron list ${quote(site.name)}`}>
    A site's <span class="mono">fazt.json</span> says when: <span class="mono wrap">"cron": [{ "name": "tidy", "schedule": "every 1h" }]</span><//>`;
  return html`<div class="stack">
    <${Card} title="Cron" flush>
      ${triggers.error ? html`<div class="padded"><${LoadFault} ...${triggers} /></div>` : html`<${Table} label="All triggers" items=${triggers.data} keyOf=${({ name }) => name} empty=${empty} columns=${[
        { name: "Trigger", cell: (trigger) => html`<div class="stack tight"><button type="button" class="link-button wrap" onClick=${() => setShown(trigger)}>${trigger.name}</button>
          <span class="quiet small mono">${trigger.schedule}${trigger.tz ? ` ${trigger.tz}` : ""}</span>${trigger.error && html`<span class="fault-text small">${trigger.error}</span>`}</div>` },
        { name: "Next", cell: (trigger) => (trigger.paused ? html`<${Badge} kind="warning">paused<//>` : trigger.upcoming[0] ? html`<${When} time=${trigger.upcoming[0]} />` : "–") },
        { name: "Last", wide: true, cell: ({ last }) => (last ? html`<span class="row"><${StateBadge} state=${last.state} /><${When} time=${last.started_at ?? last.created_at} /></span>` : html`<span class="quiet">has not run yet</span>`) },
        ...(may("admin") ? [{ name: "", class: "actions", cell: (trigger) => html`<div class="row actions-row">
          <${RowButton} run=${act(trigger, "run")} done=${`${trigger.name} runs now.`} label=${`Run now: ${trigger.name}`}>Run now<//>
          ${trigger.paused
            ? html`<${RowButton} kind="plain" run=${act(trigger, "resume")} label=${`Resume ${trigger.name}`}>Resume<//>`
            : html`<${RowButton} kind="plain" run=${act(trigger, "pause")} label=${`Pause ${trigger.name}`}>Pause<//>`}</div>` }] : []),
      ]} />`}
    <//>
    <${Commands} lines=${[`fazt cron list ${quote(site.name)}`, ...(triggers.data?.length ? ["run", "history", "pause"].map((what) => `fazt cron ${what} ${quote(site.name)} ${quote(triggers.data[0].name)}`) : [])]} />
    ${shown && html`<${History} site=${site} trigger=${shown} onClose=${() => setShown(null)} />`}
  </div>`;
}

function History({ site, trigger, onClose }) {
  const runs = useLoad(() => get(`/cron/${encode(site.name)}/${encode(trigger.name)}/history`, { limit: 30 }), [trigger.name]);
  return html`<${Dialog} title=${trigger.name} wide onClose=${onClose}>
    <dl class="facts"><dt>Schedule</dt><dd class="mono">${trigger.schedule}</dd><dt>Time zone</dt><dd>${trigger.tz ?? "UTC"}</dd><dt>Handler</dt><dd class="mono">${trigger.handler}</dd>
      <dt>Next</dt><dd>${trigger.upcoming.length ? trigger.upcoming.map((time) => html`<div key=${time}>${momentOf(time)}</div>`) : "never"}</dd>
      ${trigger.skipped > 0 && html`<dt>Skipped</dt><dd>${trigger.skipped} times, while the run before was under way</dd>`}</dl>
    <h3>Runs</h3>
    ${runs.error ? html`<${LoadFault} ...${runs} />` : !runs.data ? html`<${Skeleton} size="block" />` : html`<${Table} label="Runs" items=${runs.data.items} keyOf=${({ id }) => id}
      empty=${html`<p class="quiet">It has not run yet.</p>`} columns=${[
      { name: "When", cell: (run) => momentOf(run.started_at ?? run.created_at) },
      { name: "State", cell: (run) => html`<${StateBadge} state=${run.state} />` },
      { name: "", cell: (run) => html`<span class="wrap small">${run.error ?? ""}</span>` }]} />`}
  <//>`;
}
