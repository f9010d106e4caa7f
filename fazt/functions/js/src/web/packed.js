// Packages that are in the bundle as strings: V8 reads a string far faster than code that it may never run.
//
// `import text from "packed:NAME"` gives src/web/packed/NAME.js, bundled, as the text of an expression (bundle.mjs).
// Rule: only packages that need nothing of ours are packed; what user code did to `eval` does not matter.

const evaluate = eval; // called by another name it is indirect: it sees globals only

export const unpack = (text, name) => evaluate(`${text}\n//# sourceURL=fazt:${name}`);
