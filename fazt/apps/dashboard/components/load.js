// useLoad(work, keys) → {data, error, reload, set}: loads when the keys change; what comes late for old keys is dropped.
// Rule: data never stands beside keys that it was not loaded for, not even in the one render between.
import { html, useCallback, useEffect, useRef, useState } from "../vendor/preact.js";
import { Button, Fault } from "./form.js";

const NOTHING = { data: null, error: null };

export function useLoad(work, keys = []) {
  const [state, setState] = useState({ keys, ...NOTHING });
  const turn = useRef(0);
  const reload = useCallback(async () => {
    const mine = ++turn.current;
    try {
      const data = await work();
      if (mine === turn.current) setState({ keys, data, error: null });
      return data;
    } catch (error) {
      if (mine === turn.current && error.name !== "AbortError") setState((before) => ({ ...before, keys, error }));
      return null;
    }
  }, keys);
  useEffect(() => {
    setState({ keys, ...NOTHING });
    reload();
    return () => { turn.current++; };
  }, keys);
  const { data, error } = keys.every((key, index) => Object.is(key, state.keys[index])) ? state : NOTHING;
  return { data, error, reload, set: (data) => setState({ keys, data, error: null }) };
}

export function LoadFault({ error, reload }) {
  return html`<div class="stack"><${Fault} error=${error} /><div><${Button} onClick=${reload}>Try again<//></div></div>`;
}
