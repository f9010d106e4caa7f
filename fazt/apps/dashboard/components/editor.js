// A text editor, CodeMirror 6, loaded when the first one is opened. Its colours are the dashboard's own.
// Rule: it lives in a shadow root. There CodeMirror adopts its style sheets, which the strict policy allows; in the page
// itself it would write a <style>, which the policy refuses.

import { html, useEffect, useRef, useState } from "../vendor/preact.js";

const LANGUAGES = {
  html: (cm) => cm.html(),
  htm: (cm) => cm.html(),
  svg: (cm) => cm.html(),
  xml: (cm) => cm.html(),
  css: (cm) => cm.css(),
  js: (cm) => cm.javascript(),
  mjs: (cm) => cm.javascript(),
  jsx: (cm) => cm.javascript({ jsx: true }),
  ts: (cm) => cm.javascript({ typescript: true }),
  mts: (cm) => cm.javascript({ typescript: true }),
  tsx: (cm) => cm.javascript({ typescript: true, jsx: true }),
  json: (cm) => cm.json(),
  webmanifest: (cm) => cm.json(),
};

let loading = null;
const load = () => (loading ??= import("../vendor/codemirror.js"));

// `given`: { text } from outside; another object replaces what is there, and another `path` starts anew. What is typed is
// told by `onChange(text)` and never comes back: a render behind the fingers would undo the last key.
// `faults`: [{ line, message }]. `onSave()`.
export function Editor({ path, given, faults = [], readOnly = false, label, onChange, onSave }) {
  const place = useRef(null);
  const view = useRef(null);
  const tools = useRef(null);
  const held = useRef({}); // the text as it is now, and what it was given last
  if (held.current.given !== given) held.current = { given, text: given.text };
  const calls = useRef({});
  calls.current = {
    onSave,
    onChange(text) {
      held.current.text = text;
      onChange?.(text);
    },
  };
  const [state, setState] = useState("loading");

  useEffect(() => {
    let gone = false;
    load().then(
      (cm) => {
        if (gone) return;
        tools.current = cm;
        const root = place.current.shadowRoot ?? place.current.attachShadow({ mode: "open" });
        root.replaceChildren();
        const extensions = setup(cm, { path, readOnly, label, calls });
        view.current = new cm.EditorView({ state: cm.EditorState.create({ doc: held.current.text, extensions }), root, parent: root });
        setState("ready");
      },
      () => setState("failed"),
    );
    return () => {
      gone = true;
      view.current?.destroy();
      view.current = null;
    };
  }, [path, readOnly]);

  useEffect(() => {
    const editor = view.current;
    if (editor && editor.state.doc.toString() !== given.text) {
      editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: given.text } });
    }
  }, [given]);
  useEffect(() => {
    if (view.current) showFaults(tools.current, view.current, faults);
  }, [faults, state]);

  if (state === "failed") {
    return html`<textarea class="input editor-plain" aria-label=${label} value=${held.current.text} readonly=${readOnly}
      onInput=${(event) => calls.current.onChange(event.target.value)}></textarea>`;
  }
  return html`<div class="editor ${state}" ref=${place}></div>`;
}

function setup(cm, { path, readOnly, label, calls }) {
  const save = () => {
    calls.current.onSave?.();
    return true;
  };
  return [
    cm.lineNumbers(),
    cm.highlightSpecialChars(),
    cm.history(),
    cm.drawSelection(),
    cm.indentOnInput(),
    cm.bracketMatching(),
    cm.highlightActiveLine(),
    cm.highlightActiveLineGutter(),
    cm.highlightSelectionMatches(),
    cm.search({ top: true }),
    cm.syntaxHighlighting(colours(cm)),
    cm.EditorView.lineWrapping,
    cm.EditorState.readOnly.of(readOnly),
    cm.indentUnit.of("  "),
    faultLines(cm),
    theme(cm),
    cm.EditorView.contentAttributes.of({ "aria-label": label ?? path, spellcheck: "false", autocapitalize: "off" }),
    cm.EditorView.updateListener.of((update) => {
      if (update.docChanged) calls.current.onChange(update.state.doc.toString());
    }),
    // Tab stays with the browser, so that nobody is caught in here; Ctrl-] and Ctrl-[ indent.
    cm.keymap.of([{ key: "Mod-s", run: save, preventDefault: true }, ...cm.searchKeymap, ...cm.historyKeymap, ...cm.defaultKeymap]),
    LANGUAGES[path.toLowerCase().split(".").pop()]?.(cm) ?? [],
  ];
}

function theme(cm) {
  return cm.EditorView.theme({
    "&": { height: "100%", color: "var(--text)", backgroundColor: "var(--surface)", fontSize: "13px" },
    "&.cm-focused": { outline: "none" },
    ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.6" },
    ".cm-content": { caretColor: "var(--accent)", padding: "12px 0" },
    ".cm-cursor": { borderLeftColor: "var(--accent)", borderLeftWidth: "2px" },
    ".cm-gutters": { backgroundColor: "var(--sunken)", color: "var(--quiet)", borderRight: "1px solid var(--line)" },
    ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--accent) 6%, transparent)" },
    ".cm-activeLineGutter": { backgroundColor: "var(--accent-soft)", color: "var(--accent)" },
    "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
      backgroundColor: "color-mix(in srgb, var(--accent) 24%, transparent)",
    },
    ".cm-selectionMatch": { backgroundColor: "color-mix(in srgb, var(--accent) 16%, transparent)" },
    ".cm-matchingBracket, &.cm-focused .cm-matchingBracket": { backgroundColor: "var(--accent-soft)", outline: "1px solid var(--accent)" },
    ".cm-searchMatch": { backgroundColor: "var(--warning-soft)", outline: "1px solid var(--warning)" },
    ".cm-panels": { backgroundColor: "var(--sunken)", color: "var(--text)", borderColor: "var(--line)" },
    ".cm-panels input, .cm-panels button": { font: "inherit" },
    ".cm-textfield": { backgroundColor: "var(--surface)", border: "1px solid var(--line-strong)", borderRadius: "4px" },
    ".cm-button": { backgroundImage: "none", backgroundColor: "var(--surface)", border: "1px solid var(--line-strong)", borderRadius: "4px" },
    ".cm-fault": { backgroundColor: "var(--danger-soft)" },
  });
}

function colours(cm) {
  const { tags: t } = cm;
  return cm.HighlightStyle.define([
    { tag: [t.keyword, t.operatorKeyword, t.modifier, t.definitionKeyword], color: "var(--chart-2)" },
    { tag: [t.string, t.special(t.string), t.attributeValue, t.regexp], color: "var(--good)" },
    { tag: [t.number, t.bool, t.null, t.unit, t.color, t.atom], color: "var(--chart-3)" },
    { tag: [t.comment, t.meta, t.processingInstruction], color: "var(--quiet)", fontStyle: "italic" },
    { tag: [t.tagName, t.typeName, t.className, t.namespace], color: "var(--accent)" },
    { tag: [t.attributeName, t.propertyName, t.labelName], color: "var(--warning)" },
    { tag: [t.function(t.variableName), t.function(t.propertyName)], color: "var(--accent)" },
    { tag: t.heading, fontWeight: "bold" },
    { tag: t.invalid, color: "var(--danger)" },
  ]);
}

let setFaults = null;

// Lines that the server could not understand, marked in the text and in the gutter until the text changes there.
function faultLines(cm) {
  setFaults ??= cm.StateEffect.define();
  const line = cm.Decoration.line({ class: "cm-fault" });
  return cm.StateField.define({
    create: () => cm.Decoration.none,
    update(marks, transaction) {
      let next = marks.map(transaction.changes);
      for (const effect of transaction.effects) {
        if (!effect.is(setFaults)) continue;
        next = cm.Decoration.set(effect.value.map((at) => line.range(at)), true);
      }
      return next;
    },
    provide: (field) => cm.EditorView.decorations.from(field),
  });
}

function showFaults(cm, view, faults) {
  const lines = faults.map(({ line }) => line).filter((line) => line >= 1 && line <= view.state.doc.lines);
  const starts = [...new Set(lines.map((line) => view.state.doc.line(line).from))];
  const effects = [setFaults.of(starts)];
  if (starts.length) effects.push(cm.EditorView.scrollIntoView(starts[0], { y: "center" }));
  view.dispatch({ effects });
}
