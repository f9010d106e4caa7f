// The loader of a site's modules: runs each once, when it is first asked for, and joins imports to exports. Its modules
// come from compiler.js: the text of a function, or JSON. Rule: user code gets from here what its own site exports and
// the built-in modules, nothing else; a module that failed to load fails the same way each time.
//
// An ES module is a function of five parameters (export, get, star, import, meta), a CommonJS module one of four
// (module, exports, require, import): see compiling/linking.js.

import * as jsxRuntime from "./jsx.js";
import { resolveImport, whyNotFound } from "./resolving.js";

const evaluate = globalThis.eval; // called by another name it is the global one: the text sees no variable of ours
const { apply } = Reflect;
const ES_MODULE_PARAMETERS = 5;
const jsx = Object.freeze({ __proto__: null, ...jsxRuntime });
const BUILT_IN = new Map([
  ["fazt", jsx],
  ["fazt/jsx-runtime", jsx],
]);

/**
 * Return the loader of `modules`, a Map from the path of a file of the site to {code}.
 *
 * load(path) returns the namespace of a module: an object without a prototype, with a live getter for each export.
 */
export function createLoader(modules) {
  const records = new Map();

  function load(path) {
    return loaded(path).namespace;
  }

  function loaded(path) {
    const known = records.get(path);
    if (known !== undefined) {
      if (known.state === "failed") throw known.error;
      return known; // perhaps in the middle of a cycle, with what it exports so far
    }
    const module = modules.get(path);
    if (module === undefined) throw new Error(`there is no module '${path}' in this site`);
    const record = { path, state: "loading", namespace: null, required: null, error: null, whenDone: [] };
    records.set(path, record);
    try {
      run(record, module.code);
      record.state = "loaded";
    } catch (error) {
      record.state = "failed";
      record.error = error;
      throw error;
    }
    module.code = null; // V8 holds its own
    for (const done of record.whenDone.splice(0)) done();
    return record;
  }

  function run(record, code) {
    if (record.path.endsWith(".json")) {
      const value = JSON.parse(code);
      record.namespace = asNamespace({ __proto__: null, default: value });
      record.required = () => value;
      return;
    }
    const main = evaluate(code);
    if (main.length === ES_MODULE_PARAMETERS) runModule(record, main);
    else runCommonJs(record, main);
  }

  function runModule(record, main) {
    const { path } = record;
    record.required = () => record.namespace;
    const exportAs = (getters) => {
      record.namespace = asNamespace(getters);
    };
    const star = (other) => {
      const from = [...records.values()].find((one) => one.namespace === other);
      reexport(record.namespace, other);
      if (from?.state === "loading") from.whenDone.push(() => reexport(record.namespace, other));
    };
    const meta = { __proto__: null, url: urlOf(path) };
    main(exportAs, (specifier) => fetched(specifier, path).namespace, star, importer(path), meta);
  }

  function runCommonJs(record, main) {
    const { path } = record;
    const module = { exports: {}, id: path, filename: `/${path}`, loaded: false };
    record.required = () => module.exports;
    record.namespace = asNamespace({
      __proto__: null,
      get default() {
        return isTranspiled(module.exports) ? module.exports.default : module.exports;
      },
    });
    const require = (specifier) => fetched(specifier, path).required();
    apply(main, module.exports, [module, module.exports, require, importer(path)]);
    module.loaded = true;
    const { exports } = module;
    if (exports === null || (typeof exports !== "object" && typeof exports !== "function")) return;
    reexport(record.namespace, exports);
  }

  function importer(path) {
    return async (specifier) => {
      await undefined; // as the standard has it: nothing is loaded before the caller goes on
      return fetched(String(specifier), path).namespace;
    };
  }

  function fetched(specifier, from) {
    const path = resolveImport(specifier, from, (one) => modules.has(one));
    if (path !== null) return loaded(path);
    const namespace = BUILT_IN.get(specifier);
    if (namespace !== undefined) return { namespace, required: () => namespace };
    const error = new Error(`${whyNotFound(specifier)} (imported by ${from})`);
    error.code = "MODULE_NOT_FOUND";
    throw error;
  }

  return { load };
}

function asNamespace(object) {
  return Object.defineProperty(object, Symbol.toStringTag, { value: "Module" });
}

/** Give a namespace the names of another one which it does not have yet. */
function reexport(namespace, other) {
  for (const name of Object.keys(other)) {
    if (name === "default" || Object.hasOwn(namespace, name)) continue;
    Object.defineProperty(namespace, name, { get: () => other[name], enumerable: true });
  }
}

/** Say whether a CommonJS module was an ES module before a tool rewrote it. */
function isTranspiled(exports) {
  return exports !== null && typeof exports === "object" && exports.__esModule === true && "default" in exports;
}

function urlOf(path) {
  return `file:///${path.split("/").map(encodeURIComponent).join("/")}`;
}
