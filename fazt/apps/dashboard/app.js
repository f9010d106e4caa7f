// The application: who is here decides between signing in and the frame; the address decides the page.
import { session, whenSignedOut, whoIsHere } from "./api.js";
import { Button } from "./components/form.js";
import { Frame } from "./components/layout.js";
import { LoadFault, useLoad } from "./components/load.js";
import { Palette } from "./components/palette.js";
import { Toasts } from "./components/toast.js";
import { EmptyState } from "./components/empty.js";
import { Invite, NotSetUp, Setup, SignIn } from "./pages/sign-in.js";
import { go, usePlace } from "./router.js";
import { html, render, useEffect, useState } from "./vendor/preact.js";

// Each page is loaded when it is first opened: export default function Page({rest}).
const PAGES = {
  overview: () => import("./pages/overview.js"),
  sites: () => import("./pages/sites.js"),
  site: () => import("./pages/site/index.js"),
  jobs: () => import("./pages/jobs.js"),
  logs: () => import("./pages/logs.js"),
  links: () => import("./pages/links.js"),
  hooks: () => import("./pages/hooks.js"),
  notifications: () => import("./pages/notifications.js"),
  users: () => import("./pages/users.js"),
  tokens: () => import("./pages/tokens.js"),
  settings: () => import("./pages/settings.js"),
  backups: () => import("./pages/backups.js"),
  audit: () => import("./pages/audit.js"),
  api: () => import("./pages/api.js"),
  account: () => import("./pages/account.js"),
  allow: () => import("./pages/allow.js"),
};

function App() {
  const here = usePlace();
  const { data, error, reload, set } = useLoad(() => session({ fresh: true }));
  const refresh = () => set(whoIsHere()?.state === "signed_in" ? { ...whoIsHere() } : { ...data, state: "signed_out", user: null });
  useEffect(() => whenSignedOut(() => reload()), []);
  if (error) return html`<div class="gate"><main><${LoadFault} error=${error} reload=${reload} /></main></div>`;
  if (!data) return html`<div class="gate"><main><div class="brand"><img src="mark.svg" alt="" width="34" height="34" />Fazt</div><p class="quiet">Loading…</p></main></div>`;
  const done = () => {
    if (["setup", "invite"].includes(here[0])) go("overview");
    refresh();
  };
  if (data.state !== "signed_in") {
    if (here[0] === "setup" && here[1]) return html`<${Setup} secret=${here[1]} onDone=${done} />`;
    if (here[0] === "invite" && here[1]) return html`<${Invite} secret=${here[1]} onDone=${done} />`;
    return data.state === "setup" ? html`<${NotSetUp} />` : html`<${SignIn} onDone=${done} />`;
  }
  return html`<${Inside} here=${here} session=${data} onSignedOut=${refresh} />`;
}

function Inside({ here, session, onSignedOut }) {
  const [searching, setSearching] = useState(false);
  useEffect(() => {
    const onKey = (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        setSearching(true);
      }
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  const [first = "overview", ...rest] = here;
  const name = first === "sites" && rest.length > 0 ? "site" : first;
  return html`<${Frame} here=${[first, ...rest]} session=${session} onSearch=${() => setSearching(true)} onSignedOut=${onSignedOut}>
    <${Opened} key=${name === "site" ? `site ${rest[0]}` : name} name=${name} rest=${rest} session=${session} /><//>
    ${searching && html`<${Palette} session=${session} onClose=${() => setSearching(false)} />`}`;
}

function Opened({ name, rest, session }) {
  const { data, error, reload } = useLoad(async () => (Object.hasOwn(PAGES, name) ? (await PAGES[name]()).default : Missing), [name]);
  useEffect(() => {
    document.title = `${name === "site" ? rest[0] : name === "api" ? "API" : name[0].toUpperCase() + name.slice(1)} · Fazt`;
  }, [name, rest[0]]);
  if (error) return html`<div class="page"><${LoadFault} error=${error} reload=${reload} /></div>`;
  if (!data) return html`<div class="page" aria-busy="true"></div>`;
  return name === "site" ? html`<${data} name=${rest[0]} tab=${rest[1]} rest=${rest.slice(2)} session=${session} />` : html`<${data} rest=${rest} session=${session} />`;
}

function Missing() {
  return html`<div class="page"><${EmptyState} icon="search" title="There is no such page" action=${html`<${Button} href="#/overview">To the overview<//>`}>
    The address names nothing that is here. Ctrl-K finds every page and site.<//></div>`;
}

const root = document.getElementById("app");
root.replaceChildren(); // what stood there until the scripts were loaded
render(html`<${App} /><${Toasts} />`, root);
