// Palette({session, onClose}): Ctrl-K; everything by its name, by keyboard alone.
import { list } from "../api.js";
import { go } from "../router.js";
import { html, useLayoutEffect, useMemo, useRef, useState } from "../vendor/preact.js";
import { Icon } from "./icons.js";
import { pagesFor } from "./layout.js";

const MOST_SHOWN = 12;
const TABS = [["versions", "rollback"], ["files", "file"], ["functions", "code"], ["logs", "logs"], ["statistics", "chart"], ["protection", "lock"]];

export function Palette({ session, onClose }) {
  const dialog = useRef(null);
  const [typed, setTyped] = useState("");
  const [chosen, setChosen] = useState(0);
  const [sites, setSites] = useState([]);
  // Before anything is painted: the next key belongs to the dialog.
  useLayoutEffect(() => {
    const before = document.activeElement;
    dialog.current.showModal();
    list("/sites").then((items) => setSites(items.map((item) => item.name)), () => {});
    return () => before?.focus?.();
  }, []);
  const found = useMemo(() => search(typed, everything(session, sites)), [typed, sites]);
  const take = (entry) => {
    onClose();
    go(...entry.place);
  };
  const onKeyDown = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      setChosen((chosen + step + found.length) % Math.max(found.length, 1));
    } else if (event.key === "Enter" && found[chosen]) {
      event.preventDefault();
      take(found[chosen]);
    }
  };
  return html`<dialog class="dialog palette" ref=${dialog} aria-label="Go to"
    onCancel=${(event) => { event.preventDefault(); onClose(); }}
    onMouseDown=${(event) => { if (event.target === dialog.current) onClose(); }}>
    <div class="search"><${Icon} name="search" /><input value=${typed} placeholder="Go to a page or a site" aria-label="Go to a page or a site" role="combobox"
      aria-expanded="true" aria-controls="found" aria-activedescendant=${found[chosen] ? `found-${chosen}` : undefined} autocomplete="off" spellcheck=${false} autofocus
      onInput=${(event) => { setTyped(event.target.value); setChosen(0); }} onKeyDown=${onKeyDown} /><kbd>Esc</kbd></div>
    <ul id="found" role="listbox" aria-label="Found">${found.map((entry, index) => html`<li id=${`found-${index}`} role="option" aria-selected=${index === chosen ? "true" : "false"}
      onMouseMove=${() => setChosen(index)} onClick=${() => take(entry)}><${Icon} name=${entry.icon} /><span class="cut">${entry.name}</span><span class="hint">${entry.hint}</span></li>`)}
      ${found.length === 0 && html`<li class="quiet" role="option" aria-selected="false">Nothing is called that.</li>`}</ul>
  </dialog>`;
}

function everything(session, sites) {
  const pages = pagesFor(session.user.role).map((page) => ({ name: page.name, place: page.place, icon: page.icon, hint: "page" }));
  pages.push({ name: "Account", place: ["account"], icon: "account", hint: "page" });
  const bySite = sites.flatMap((site) => [
    { name: site, place: ["sites", site], icon: "site", hint: "site" },
    ...TABS.map(([tab, icon]) => ({ name: `${site} ${tab}`, place: ["sites", site, tab], icon, hint: "site" })),
  ]);
  return [...pages, ...bySite];
}

// Every word that was typed must occur; what begins with the first one comes first.
function search(typed, entries) {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const fitting = entries.filter((entry) => words.every((word) => entry.name.toLowerCase().includes(word)));
  const rank = (entry) => (words.length > 0 && entry.name.toLowerCase().startsWith(words[0]) ? 0 : 1);
  return fitting.map((entry, index) => [rank(entry), index, entry]).sort((a, b) => a[0] - b[0] || a[1] - b[1]).slice(0, MOST_SHOWN).map((each) => each[2]);
}
