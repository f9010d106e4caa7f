// The page of one site: its head, its tabs, and the tab that is open. Each tab is loaded when it is first opened.

import { events, get } from "../../api.js";
import { Button } from "../../components/form.js";
import { EmptyState } from "../../components/empty.js";
import { Icon } from "../../components/icons.js";
import { LoadFault, useLoad } from "../../components/load.js";
import { Badge, Skeleton } from "../../components/table.js";
import { safeUrl } from "../../format.js";
import { to } from "../../router.js";
import { html, useEffect, useRef, useState } from "../../vendor/preact.js";
import { at } from "./parts.js";

const TABS = {
  overview: ["Overview", () => import("./overview.js")],
  versions: ["Versions", () => import("./versions.js")],
  files: ["Files", () => import("./files.js")],
  domains: ["Domains", () => import("./domains.js")],
  rules: ["Redirects", () => import("./rules.js")],
  environment: ["Environment", () => import("./environment.js")],
  functions: ["Functions", () => import("./functions.js")],
  logs: ["Logs", () => import("./logs.js")],
  statistics: ["Statistics", () => import("./statistics.js")],
  protection: ["Protection", () => import("./protection.js")],
  settings: ["Settings", () => import("./settings.js")],
};
const loaded = {};

export default function Site({ name, tab, rest = [] }) {
  const open = TABS[tab] ? tab : "overview";
  const site = useLoad(() => get(at(name)), [name]);
  const happened = useEvents(name, site.reload);
  useEffect(keepDrops, []);
  if (site.error?.status === 404) return html`<${NoSite} name=${name} />`;
  return html`<div class="page site-page">
    <${Head} name=${name} site=${site.data} />
    <${Tabs} name=${name} open=${open} />
    ${site.error && html`<${LoadFault} error=${site.error} reload=${site.reload} />`}
    ${site.data
      ? html`<${Open} key=${`${name}/${open}`} tab=${open} site=${site.data} reload=${site.reload} ...${happened} rest=${rest} />`
      : !site.error && html`<${Skeleton} size="block" />`}
  </div>`;
}

// A folder that misses the drop zone must not take the page away: the browser would open what was dropped.
function keepDrops() {
  const keep = (event) => {
    if (event.dataTransfer?.types.includes("Files") && !event.defaultPrevented) {
      event.preventDefault();
      event.dataTransfer.dropEffect = "none";
    }
  };
  for (const kind of ["dragover", "drop"]) addEventListener(kind, keep);
  return () => ["dragover", "drop"].forEach((kind) => removeEventListener(kind, keep));
}

const COUNTED_AFTER_MS = 3000; // what was served is in the statistics by then

// How often this site was changed, and was visited, while the page is open; a change by anybody loads it again.
function useEvents(name, reload) {
  const [changes, setChanges] = useState(0);
  const [visits, setVisits] = useState(0);
  useEffect(() => {
    let waiting = null;
    let more = false; // came while it waited, so that it may not be counted yet when it looks
    const visited = () => {
      waiting = more ? setTimeout(visited, COUNTED_AFTER_MS) : null;
      more = false;
      setVisits((before) => before + 1);
    };
    const stop = events((kind, event) => {
      if (kind === "traffic" && event.sites[name]) {
        if (waiting === null) waiting = setTimeout(visited, COUNTED_AFTER_MS);
        else more = true;
      }
      if (kind !== "change" || (event.kind !== "all" && event.key !== name)) return;
      if (event.kind === "all") setVisits((before) => before + 1);
      reload();
      setChanges((before) => before + 1);
    });
    return () => {
      clearTimeout(waiting);
      stop();
    };
  }, [name]);
  return { changes, visits };
}

function Head({ name, site }) {
  const url = safeUrl(site?.url);
  return html`<header>
    <div class="grow">
      <div class="row"><h1 class="wrap">${name}</h1>
        ${site?.locked && html`<${Badge} kind="warning"><${Icon} name="lock" />locked<//>`}
        ${site && !site.live_version && html`<${Badge}>nothing deployed yet<//>`}
      </div>
      <p class="wrap site-address">${url ? html`<a href=${url} target="_blank" rel="noreferrer">${url.replace(/^https?:\/\//, "").replace(/\/$/, "")}</a>` : html`<span>${" "}</span>`}</p>
    </div>
    ${url && html`<${Button} href=${url} target="_blank" rel="noreferrer" icon="out">Visit<//>`}
  </header>`;
}

function Tabs({ name, open }) {
  const bar = useRef(null);
  useEffect(() => {
    const current = bar.current?.querySelector("[aria-current]");
    if (current) bar.current.scrollLeft = current.offsetLeft - (bar.current.clientWidth - current.offsetWidth) / 2;
  }, [open]);
  return html`<nav class="tabs" aria-label="Parts of this site" ref=${bar}>${Object.entries(TABS).map(([key, [text]]) => html`
    <a key=${key} href=${key === "overview" ? to("sites", name) : to("sites", name, key)} aria-current=${key === open ? "page" : undefined}>${text}</a>`)}</nav>`;
}

function Open({ tab, ...given }) {
  const [, setReady] = useState(0);
  const [error, setError] = useState(null);
  const load = () => TABS[tab][1]().then(
    (module) => {
      loaded[tab] = module.default;
      setReady((count) => count + 1);
    },
    () => setError(new Error("This part of the page could not be loaded.")),
  );
  useEffect(() => {
    if (!loaded[tab]) load();
  }, [tab]);
  if (error) return html`<${LoadFault} error=${error} reload=${load} />`;
  return loaded[tab] ? html`<${loaded[tab]} ...${given} />` : html`<${Skeleton} size="block" />`;
}

function NoSite({ name }) {
  return html`<div class="page"><h1 class="wrap">${name}</h1>
    <${EmptyState} icon="site" title="There is no such site" command=${`fazt sites create ${name}`}
      action=${html`<${Button} href=${to("sites")}>All sites<//>`}>It may have been removed or renamed, or it belongs to somebody else.<//>
  </div>`;
}
