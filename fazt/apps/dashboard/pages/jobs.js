// Work of all sites: jobs that wait, run or failed, and what runs at set times.
import { get, list, post } from "../api.js";
import { CliLine } from "../components/cli.js";
import { EmptyState } from "../components/empty.js";
import { Button, useAction } from "../components/form.js";
import { LoadFault, useLoad } from "../components/load.js";
import { Badge, Card, Page, Table } from "../components/table.js";
import { toast, toastError } from "../components/toast.js";
import { ago, momentOf } from "../format.js";
import { to } from "../router.js";
import { html, useState } from "../vendor/preact.js";
import { StateBadge } from "./site/jobs.js";
import { Choice } from "./site/parts.js";

const STATES = [["", "All"], ["waiting", "Waiting"], ["running", "Running"], ["failed", "Failed"], ["done", "Done"]];

export default function Jobs({ session }) {
  const [state, setState] = useState("");
  const jobs = useLoad(async () => (await get("/jobs", { state, limit: 200 })).items, [state]);
  const triggers = useLoad(() => list("/cron", { upcoming: 1 }), []);
  const mayRun = ["owner", "admin"].includes(session.user.role);
  return html`<${Page} title="Jobs and cron" about="What functions put off, and what runs at set times, of all sites.">
    <${Card} flush title="At set times">${triggers.error ? html`<div class="padded"><${LoadFault} ...${triggers} /></div>` : html`<${Table} label="Triggers" items=${triggers.data} keyOf=${(item) => `${item.site}/${item.name}`}
      empty=${html`<${EmptyState} icon="jobs" title="Nothing runs at set times">A site names its times in fazt.json: <span class="mono">"cron": [{"name": "tidy", "schedule": "@daily", "handler": "tidy"}]</span><//>`} columns=${[
        { name: "Site", cell: (item) => html`<a href=${to("sites", item.site, "functions")}>${item.site}</a>` },
        { name: "Name", cell: (item) => html`${item.name} ${item.paused ? html`<${Badge} kind="warning">paused<//>` : ""}${item.error ? html`<${Badge} kind="danger">cannot run<//>` : ""}` },
        { name: "Schedule", wide: true, cell: (item) => html`<span class="mono">${item.schedule}</span> <span class="quiet small">${item.tz}</span>` },
        { name: "Next", cell: (item) => html`<span class="nowrap">${item.upcoming[0] ? momentOf(item.upcoming[0]) : "–"}</span>` },
        { name: "Last", wide: true, cell: (item) => (item.last ? html`<${StateBadge} state=${item.last.state} />` : "–") },
        ...(mayRun ? [{ name: "", class: "actions", cell: (item) => html`<${RunNow} item=${item} onDone=${() => { triggers.reload(); jobs.reload(); }} />` }] : []),
      ]} />`}<//>
    <${Card} flush title="Jobs" actions=${html`<${Choice} label="State" options=${STATES} value=${state} onChange=${setState} />`}>
      ${jobs.error ? html`<div class="padded"><${LoadFault} ...${jobs} /></div>` : html`<${Table} label="Jobs" items=${jobs.data} keyOf=${(job) => job.id}
      empty=${html`<${EmptyState} icon="jobs" title=${state ? `No job is ${state}` : "No jobs"}>Functions put off work with <span class="mono">fazt.jobs.enqueue</span>; it shows here.<//>`} columns=${[
        { name: "Site", cell: (job) => html`<a href=${to("sites", job.site, "functions")}>${job.site}</a>` },
        { name: "Job", cell: (job) => html`${job.name}${job.error ? html`<div class="small quiet wrap">${job.error.slice(0, 120)}</div>` : ""}` },
        { name: "State", cell: (job) => html`<${StateBadge} state=${job.state} />` },
        { name: "Made", wide: true, cell: (job) => html`<span class="quiet nowrap">${ago(job.created_at)}</span>` },
      ]} />`}<//>
    <${CliLine} command=${`fazt jobs list${state ? ` --state ${state}` : ""}`} />
  <//>`;
}

function RunNow({ item, onDone }) {
  const [run, busy] = useAction(async () => {
    try {
      await post(`/cron/${encodeURIComponent(item.site)}/${encodeURIComponent(item.name)}/run`);
      toast(`${item.name} runs now.`);
      onDone();
    } catch (error) {
      toastError(error);
    }
  });
  return html`<${Button} small busy=${busy} onClick=${run} aria-label=${`Run ${item.name} of ${item.site} now`}>Run now<//>`;
}
