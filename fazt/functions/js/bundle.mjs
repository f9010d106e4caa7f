// Bundles src/ into dist/ with esbuild, and writes the licences of what is in the bundles. Called by tools/assets.
//
//   node bundle.mjs MODULES OUTPUT [ENTRY=NAME ...]     MODULES: the folder where npm installed the packages
//
// Rule: the same sources and packages give the same bytes; nothing of this machine gets into the output.

import { createRequire } from "node:module";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { licences } from "../../../tools/licences.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const [modules, output, ...entries] = process.argv.slice(2);
const { build } = createRequire(join(modules, "package.json"))("esbuild");

// Packages that one of ours stands in for, and the package whose import is meant: see url_percent.js and idna.js.
const REPLACED = [
  { from: /whatwg-url/, path: /^tr46$/, to: "src/web/idna.js" },
  { from: /whatwg-url/, path: /^@exodus\/bytes\/(whatwg|encoding)\.js$/, to: "src/web/url_percent.js" },
  { from: /whatwg-url/, path: /^\.\/encoding$/, to: "src/web/url_percent.js" },
];

const replacing = {
  name: "replacing",
  setup({ onResolve }) {
    onResolve({ filter: /^(tr46|@exodus\/bytes\/.*|\.\/encoding)$/ }, ({ path, importer }) => {
      const found = REPLACED.find((each) => each.from.test(importer) && each.path.test(path));
      return found === undefined ? undefined : { path: join(here, found.to) };
    });
  },
};

// `packed:NAME`: that module and its packages as the text of an expression, to be evaluated when it is needed.
const packing = {
  name: "packing",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^packed:/ }, ({ path }) => ({ path: path.slice("packed:".length), namespace: "packed" }));
    onLoad({ filter: /.*/, namespace: "packed" }, async ({ path }) => {
      const { text, inputs } = await run(`src/web/packed/${path}.js`, "packed");
      packedInputs.push(...inputs);
      const expression = text
        .trim()
        .replace(/^var packed=\(\(\)=>\{/, `(()=>{${STRICT}`)
        .replace(/;$/, "");
      if (!expression.includes(STRICT)) throw new Error(`${path} is packed without ${STRICT}`);
      return { contents: `export default ${JSON.stringify(`(${expression})`)}`, loader: "js" };
    });
  },
};
const packedInputs = [];

// The sources are modules and so strict; the bundle says so itself. A sloppy function of the platform could be asked for
// its caller's arguments by user code (`arguments.callee.caller`), and for itself by Error.prepareStackTrace.
const STRICT = '"use strict";';

async function run(entry, globalName) {
  const result = await build({
    entryPoints: [entry],
    bundle: true,
    format: "iife",
    globalName,
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["import", "module", "default"],
    target: "chrome144",
    charset: "ascii",
    minify: true,
    keepNames: false,
    legalComments: "none",
    nodePaths: [join(modules, "node_modules")],
    plugins: [replacing, packing],
    absWorkingDir: here,
    write: false,
    metafile: true,
    logLevel: "warning",
  });
  const [written] = Object.values(result.metafile.outputs);
  return { text: result.outputFiles[0].text, inputs: Object.keys(written.inputs) };
}

async function bundle(entry, name) {
  const { text, inputs } = await run(entry, undefined);
  writeFileSync(join(output, `${name}.js`), STRICT + text);
  console.log(`${name}.js ${text.length} bytes`);
  return inputs;
}

mkdirSync(output, { recursive: true });
const inputs = [];
try {
  for (const each of entries) {
    const [entry, name] = each.split("=");
    inputs.push(...(await bundle(entry, name)), ...packedInputs);
  }
} catch (error) {
  if (error.errors === undefined) throw error;
  process.exit(1); // esbuild said already what is wrong
}
writeFileSync(join(output, "LICENSES.txt"), licences(inputs, here));
