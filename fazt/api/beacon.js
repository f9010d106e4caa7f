// Page views of single-page applications, and events of a site's own, without cookies: docs/statistics.md.
// The first view is counted by the server already; whoever asks not to be tracked is left alone.
(() => {
  "use strict";
  const isSilent = navigator.globalPrivacyControl === true || navigator.doNotTrack === "1";
  const send = (told) => {
    if (!isSilent) navigator.sendBeacon("/_fazt/beacon", JSON.stringify(told));
  };
  let shown = location.pathname;
  const look = () => {
    if (location.pathname === shown) return;
    shown = location.pathname;
    send({ view: shown.slice(0, 2000) });
  };
  for (const name of ["pushState", "replaceState"]) {
    const change = history[name];
    history[name] = function (...args) {
      const result = change.apply(this, args);
      look();
      return result;
    };
  }
  addEventListener("popstate", look);
  globalThis.fazt = { ...globalThis.fazt, event: (name) => send({ event: String(name).slice(0, 64) }) };
})();
