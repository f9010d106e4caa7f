// Frame({here, session, children}): the navigation beside the page. Gate({title, children}): a page for who is not in.
import { setTheme, theme } from "../theme.js";
import { del, keepSession } from "../api.js";
import { to } from "../router.js";
import { html, useEffect, useState } from "../vendor/preact.js";
import { Button } from "./form.js";
import { Icon } from "./icons.js";
import { toastError } from "./toast.js";

// who: the roles that have use of it
const EVERYBODY = ["owner", "admin", "editor", "viewer"];
const ADMINS = ["owner", "admin"];
export const SECTIONS = [
  { title: null, pages: [
    { place: ["overview"], name: "Overview", icon: "overview", who: EVERYBODY },
    { place: ["sites"], name: "Sites", icon: "site", who: EVERYBODY },
    { place: ["jobs"], name: "Jobs and cron", icon: "jobs", who: EVERYBODY },
    { place: ["logs"], name: "Logs", icon: "logs", who: EVERYBODY },
  ] },
  { title: "Connections", pages: [
    { place: ["links"], name: "Short links", icon: "link", who: ADMINS },
    { place: ["hooks"], name: "Webhooks", icon: "hook", who: EVERYBODY },
    { place: ["notifications"], name: "Notifications", icon: "bell", who: ADMINS },
  ] },
  { title: "Server", pages: [
    { place: ["users"], name: "Users", icon: "users", who: ADMINS },
    { place: ["tokens"], name: "Tokens", icon: "key", who: ADMINS },
    { place: ["settings"], name: "Settings", icon: "settings", who: ADMINS },
    { place: ["backups"], name: "Backups", icon: "download", who: ADMINS },
    { place: ["audit"], name: "Audit log", icon: "audit", who: ADMINS },
    { place: ["api"], name: "API", icon: "code", who: EVERYBODY },
  ] },
];

export function pagesFor(role) {
  return SECTIONS.flatMap((section) => section.pages).filter((page) => page.who.includes(role));
}

export function Frame({ here, session, onSearch, onSignedOut, children }) {
  const [open, setOpen] = useState(false);
  useEffect(() => setOpen(false), [here.join("/")]);
  const role = session.user.role;
  return html`<div class="frame">
    <a class="skip" href="#content" onClick=${(event) => { event.preventDefault(); document.getElementById("content").focus(); }}>Skip to the page</a>
    <div class="top">
      <${Button} kind="plain" icon="menu" aria-label="Menu" aria-expanded=${open ? "true" : "false"} onClick=${() => setOpen(!open)} />
      <${Brand} domain=${session.server.domain} />
      <${Button} kind="plain" icon="search" aria-label="Search" onClick=${onSearch} />
    </div>
    ${open && html`<button class="shade" aria-label="Close the menu" onClick=${() => setOpen(false)}></button>`}
    <div class=${`side ${open ? "open" : ""}`}>
      <${Brand} domain=${session.server.domain} />
      <button class="search-button" onClick=${onSearch}><${Icon} name="search" />Search<kbd>${/Mac/.test(navigator.platform) ? "⌘" : "Ctrl"} K</kbd></button>
      <nav aria-label="Pages">${SECTIONS.map((section) => {
        const pages = section.pages.filter((page) => page.who.includes(role));
        return pages.length > 0 && html`${section.title && html`<h2>${section.title}</h2>`}${pages.map((page) => html`
          <a href=${to(...page.place)} aria-current=${here[0] === page.place[0] ? "page" : undefined}><${Icon} name=${page.icon} />${page.name}</a>`)}`;
      })}</nav>
      <div class="foot">
        <nav aria-label="Account"><a href="#/account" aria-current=${here[0] === "account" ? "page" : undefined}><${Icon} name="account" /><span class="cut">${session.user.name}</span></a></nav>
        <div class="row"><${ThemeButton} /><${SignOut} onDone=${onSignedOut} /></div>
      </div>
    </div>
    <main class="main" id="content" tabindex="-1">${children}</main>
  </div>`;
}

function Brand({ domain }) {
  return html`<a class="brand" href="#/overview"><img src="mark.svg" alt="" width="26" height="26" /><span>Fazt<small>${domain}</small></span></a>`;
}

function ThemeButton() {
  const [name, setName] = useState(theme());
  const dark = document.documentElement.classList.contains("dark");
  const change = () => {
    const next = dark ? "light" : "dark";
    setTheme(next);
    setName(next);
  };
  return html`<${Button} kind="plain" small icon=${dark ? "sun" : "moon"} onClick=${change} data-theme=${name} aria-label=${dark ? "Light colours" : "Dark colours"} />`;
}

function SignOut({ onDone }) {
  const run = async () => {
    try {
      await del("/session");
      keepSession(null);
      onDone();
    } catch (error) {
      toastError(error);
    }
  };
  return html`<${Button} kind="plain" small icon="exit" onClick=${run}>Sign out<//>`;
}

export function Gate({ title, children }) {
  return html`<div class="gate"><main>
    <div class="brand"><img src="mark.svg" alt="" width="34" height="34" />Fazt</div>
    <h1>${title}</h1>${children}
  </main></div>`;
}
