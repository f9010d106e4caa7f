// An ES or CommonJS module as the text of one function that the loader (modules.js) calls. Owns how imports and exports
// become calls of the loader. Rule: no line moves, and no column but on lines where an imported name stands.
//
// The function of an ES module calls link() first, which is declared behind the module's own last line and so is
// hoisted: it hands over the getters of the exports (live, and there before anything runs, so that cycles work as in
// the standard), then fetches the imports in their order. Names that are not the author's are made unlike any word of
// the source.

import { namesOf } from "./scopes.js";

const GAP = String.raw`(?:\s|/\*[^]*?\*/|//.*)*`;
const EXPORT_DEFAULT = new RegExp(`export${GAP}default`, "y");
const NAMELESS_HEAD = new RegExp(`(?:async${GAP})?function${GAP}\\*?|class`, "y");
const MAX_WORD = 30;
const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

/** Pieces of a text that are to be replaced. */
class Edits {
  constructor(text) {
    this.text = text;
    this.edits = [];
  }

  replace(start, end, by) {
    this.edits.push({ start, end, by });
  }

  /** Put spaces in the place of a piece, keeping its lines, behind `by`. */
  blank(start, end, by = "") {
    const spaces = this.text.slice(start, end).replace(/[^\r\n\u2028\u2029]/g, " ");
    this.replace(start, end, by + spaces.slice(Math.min(by.length, /^ */.exec(spaces)[0].length)));
  }

  applied() {
    this.edits.sort((one, other) => one.start - other.start || one.end - other.end);
    let result = "";
    let at = 0;
    for (const { start, end, by } of this.edits) {
      result += this.text.slice(at, start) + by;
      at = end;
    }
    return result + this.text.slice(at);
  }
}

/**
 * Return {code, imports, exports, stars} of an ES module.
 *
 * An import is {specifier, node, dynamic, names, type}; names: those that the other module must have, {name, node}. In a
 * typed module a name that is only exported again may be a type, which is nowhere at run time: it is not asked for.
 */
export function linkModule(text, program, analysis, isTyped) {
  return new Linking(text, program, analysis, isTyped).run();
}

class Linking {
  constructor(text, program, analysis, isTyped) {
    this.text = text;
    this.program = program;
    this.analysis = analysis;
    this.isTyped = isTyped;
    this.edits = new Edits(text);
    this.prefix = unusedWord(text, "_m_");
    this.defaultName = unusedWord(text, "default_"); // also what stacks call an exported function without a name
    this.used = new Set(); // names that the module refers to, its own and imported ones
    this.fetches = new Map(); // specifier -> what is fetched, in order
    this.namespaces = new Map(); // `import * as name` -> the variable that holds the namespace
    this.bindings = new Map(); // imported name -> the expression that reads it
    this.getters = new Map(); // exported name -> the expression that reads it
    this.stars = [];
  }

  run() {
    for (const one of this.analysis.references) if (!this.analysis.isShadowed(one)) this.used.add(one.node.name);
    for (const node of this.program.body) {
      if (node.type === "ImportDeclaration") this.importDeclaration(node);
      else if (node.type === "ExportAllDeclaration") this.exportAll(node);
      else if (node.type === "ExportNamedDeclaration" && node.source) this.exportFrom(node);
    }
    for (const node of this.program.body) {
      if (node.type === "ExportDefaultDeclaration") this.exportDefault(node);
      else if (node.type === "ExportNamedDeclaration" && !node.source) this.exportNamed(node);
    }
    this.rewriteReferences();
    this.rewriteImportWords();
    return {
      code: this.wrapped(),
      imports: [...this.fetches.values(), ...dynamicImports(this.analysis)],
      exports: [...this.getters.keys()],
      stars: this.stars,
    };
  }

  /** Return what is known of a module that is fetched: {specifier, node, dynamic, names, type, variable}. */
  fetched(node) {
    const specifier = node.source.value;
    let record = this.fetches.get(specifier);
    if (record === undefined) {
      const word = specifier.replace(/^.*\/|\.\w+$|\W/g, "").slice(0, MAX_WORD);
      const variable = `${this.prefix}${this.fetches.size}_${word}`;
      const type = node.attributes?.find(({ key }) => nameOf(key) === "type")?.value.value;
      record = { specifier, node: node.source, dynamic: false, names: [], type, variable };
      this.fetches.set(specifier, record);
    }
    return record;
  }

  importDeclaration(node) {
    const { variable, names } = this.fetched(node);
    for (const specifier of node.specifiers) {
      const local = specifier.local.name;
      if (specifier.type === "ImportNamespaceSpecifier") {
        this.namespaces.set(local, variable);
        continue;
      }
      const name = specifier.type === "ImportDefaultSpecifier" ? "default" : nameOf(specifier.imported);
      this.bindings.set(local, member(variable, name));
      if (!this.isTyped || this.used.has(local)) names.push({ name, node: specifier });
    }
    this.edits.blank(node.start, node.end, ";");
  }

  exportAll(node) {
    const { variable, specifier } = this.fetched(node);
    if (node.exported) this.getters.set(nameOf(node.exported), variable);
    else this.stars.push(specifier);
    this.edits.blank(node.start, node.end, ";");
  }

  exportFrom(node) {
    const { variable, names } = this.fetched(node);
    for (const { local, exported } of node.specifiers) {
      this.getters.set(nameOf(exported), member(variable, nameOf(local)));
      if (!this.isTyped) names.push({ name: nameOf(local), node: local });
    }
    this.edits.blank(node.start, node.end, ";");
  }

  exportDefault(node) {
    const declared = node.declaration;
    const isDeclaration = declared.type === "FunctionDeclaration" || declared.type === "ClassDeclaration";
    const name = (isDeclaration && declared.id?.name) || this.defaultName;
    const wordsEnd = node.start + this.lengthOf(EXPORT_DEFAULT, node.start);
    this.edits.blank(node.start, wordsEnd, isDeclaration ? "" : `let ${name}=`);
    if (isDeclaration && !declared.id) {
      const at = declared.start + this.lengthOf(NAMELESS_HEAD, declared.start);
      this.edits.replace(at, at, ` ${name}`);
    }
    this.getters.set("default", name);
  }

  lengthOf(pattern, start) {
    pattern.lastIndex = start;
    return pattern.exec(this.text)[0].length;
  }

  exportNamed(node) {
    if (node.declaration) {
      this.edits.blank(node.start, node.declaration.start);
      const { declaration } = node;
      const names = declaration.id ? [declaration.id.name] : declaration.declarations.flatMap(({ id }) => namesOf(id));
      for (const name of names) this.getters.set(name, name);
      return;
    }
    for (const { local, exported } of node.specifiers) {
      this.getters.set(nameOf(exported), this.bindings.get(local.name) ?? local.name);
    }
    this.edits.blank(node.start, node.end, ";");
  }

  rewriteReferences() {
    if (this.bindings.size === 0) return;
    for (const reference of this.analysis.references) {
      const { node, kind, needsSemicolon } = reference;
      const read = this.bindings.get(node.name);
      if (read === undefined || this.analysis.isShadowed(reference)) continue;
      // `(0, a.b)()` calls without a `this`; a statement that begins with it must not go on the line before
      if (kind === "call") this.edits.replace(node.start, node.end, `${needsSemicolon ? ";" : ""}(0,${read})`);
      else this.edits.replace(node.start, node.end, kind === "shorthand" ? `${node.name}:${read}` : read);
    }
  }

  rewriteImportWords() {
    for (const node of this.analysis.dynamicImports) {
      this.edits.replace(node.start, node.start + "import".length, `${this.prefix}import`);
    }
    for (const node of this.analysis.metas) this.edits.replace(node.start, node.end, `${this.prefix}meta`);
  }

  wrapped() {
    const { prefix } = this;
    const getters = [...this.getters].map(([name, read]) => `get ${propertyName(name)}(){return ${read}}`);
    const fetches = [...this.fetches.values()];
    const link = [
      `${prefix}export({__proto__:null,${getters.join(",")}});`,
      ...fetches.map(({ specifier, variable }) => `${variable}=${prefix}get(${JSON.stringify(specifier)});`),
      ...[...this.namespaces].map(([name, variable]) => `${name}=${variable};`),
      ...this.stars.map((specifier) => `${prefix}star(${this.fetches.get(specifier).variable});`),
    ];
    const names = [...fetches.map(({ variable }) => variable), ...this.namespaces.keys()];
    const parameters = ["export", "get", "star", "import", "meta"].map((name) => prefix + name).join(",");
    const variables = names.length === 0 ? "" : `var ${names.join(",")};`;
    const tail = `\n;${variables}function ${prefix}link(){${link.join("")}}})`;
    return `(function(${parameters}){"use strict";${prefix}link();${this.edits.applied()}${tail}`;
  }
}

/** Return {code, imports, exports, stars} of a CommonJS module: what it exports is known when it has run. */
export function linkCommonJs(text, analysis) {
  const edits = new Edits(text);
  const prefix = unusedWord(text, "_m_");
  for (const node of analysis.dynamicImports) {
    edits.replace(node.start, node.start + "import".length, `${prefix}import`);
  }
  const imports = analysis.requires
    .filter(({ node, scope }) => isText(node.arguments[0]) && analysis.isFree({ node: node.callee, scope }))
    .map(({ node }) => ({ specifier: node.arguments[0].value, node: node.arguments[0], dynamic: true, names: [] }));
  return {
    code: `(function(module,exports,require,${prefix}import){${edits.applied()}\n})`,
    imports: [...imports, ...dynamicImports(analysis)],
    exports: null,
    stars: [],
  };
}

function dynamicImports(analysis) {
  return analysis.dynamicImports
    .filter((node) => isText(node.source))
    .map((node) => ({ specifier: node.source.value, node: node.source, dynamic: true, names: [] }));
}

function isText(node) {
  return node.type === "Literal" && typeof node.value === "string";
}

/** Return the word, with as many underscores behind it as it takes to be nowhere in the source. */
function unusedWord(text, word) {
  while (text.includes(word)) word += "_";
  return word;
}

function nameOf(node) {
  return node.type === "Literal" ? node.value : node.name;
}

function propertyName(name) {
  return IDENTIFIER.test(name) ? name : JSON.stringify(name);
}

function member(variable, name) {
  return IDENTIFIER.test(name) ? `${variable}.${name}` : `${variable}[${JSON.stringify(name)}]`;
}
