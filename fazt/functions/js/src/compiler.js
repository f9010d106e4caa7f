// The compiler of modules, run in bare V8 when a version is deployed: TypeScript, JSX, ES modules, CommonJS and JSON ->
// code that the loader (modules.js) takes. Sucrase takes types and JSX away, acorn finds what is wrong and where, and
// linking.js turns the module into a function. Rule: source text is read here, never run.
//
// compile(path, source) -> {kind, code, imports, exports, stars} or {error: {message, line, column}}
//   kind     "esm", "commonjs" or "json"
//   imports  [{specifier, line, column, dynamic, names: [{name, line, column}]}]; dynamic: import() or require()
//   exports  the names that it exports; null where only running it tells; stars: specifiers of `export * from`

import { parse } from "acorn";
import { transform } from "sucrase";
import { parse as readTokens } from "sucrase/dist/esm/parser/index.js";
import { Lines, Origins, SourceFault } from "./compiling/position.js";
import { refuseJson } from "./compiling/json.js";
import { checkTokens } from "./compiling/lenient.js";
import { linkCommonJs, linkModule } from "./compiling/linking.js";
import { analyse } from "./compiling/scopes.js";

const MODULE = { ecmaVersion: "latest", sourceType: "module", allowHashBang: true };
const SCRIPT = { ecmaVersion: "latest", sourceType: "script", allowHashBang: true, allowReturnOutsideFunction: true };
const TRANSFORMS = {
  ts: ["typescript"],
  mts: ["typescript"],
  tsx: ["typescript", "jsx"],
  jsx: ["jsx"],
};
const JSX_SOURCE = "fazt";

/** Compile one file of a site. */
export function compile(path, source) {
  try {
    return path.endsWith(".json") ? compileJson(source) : new Compilation(path, source).run();
  } catch (error) {
    if (error instanceof SourceFault) {
      return { error: { message: error.message, line: error.line, column: error.column } };
    }
    if (error instanceof RangeError) {
      return { error: { message: "the code is nested too deeply", line: 1, column: 1 } };
    }
    throw error;
  }
}

function compileJson(source) {
  const text = source.replace(/^\ufeff/, "");
  try {
    JSON.parse(text);
  } catch (error) {
    if (error instanceof RangeError) throw error;
    refuseJson(text);
  }
  return { kind: "json", code: text, imports: [], exports: ["default"], stars: [] };
}

class Compilation {
  constructor(path, source) {
    this.path = path;
    this.extension = /[^.]*$/.exec(path)[0];
    this.source = source.replace(/^\ufeff/, "");
    this.transforms = TRANSFORMS[this.extension] ?? null;
    this.isTyped = this.transforms?.includes("typescript") ?? false;
    this.sourceLines = new Lines(this.source);
    this.text = this.source; // without types and JSX, line for line
    this.origins = null;
  }

  run() {
    if (this.transforms !== null) this.transform();
    if (this.text.startsWith("#!")) this.text = `//${this.text.slice(2)}`;
    this.lines = new Lines(this.text);
    const program = this.parsed();
    const analysis = analyse(program);
    const isCommonJs = this.isCommonJs(program, analysis);
    if (!isCommonJs && analysis.topLevelAwait !== null) {
      throw this.fault(
        "await at the top level is not available: await inside a handler, or in a function that it calls",
        analysis.topLevelAwait.start,
      );
    }
    const linked = isCommonJs
      ? linkCommonJs(this.text, analysis)
      : linkModule(this.text, program, analysis, this.isTyped);
    this.checkWithEngine(linked.code);
    return {
      kind: isCommonJs ? "commonjs" : "esm",
      code: `${linked.code}\n//# sourceURL=${sourceUrl(this.path)}`,
      imports: linked.imports.map((one) => this.located(one)),
      exports: linked.exports,
      stars: linked.stars,
    };
  }

  // -- types and JSX --------------------------------------------------------------------------------------------

  transform() {
    const withJsx = this.transforms.includes("jsx");
    try {
      checkTokens(this.source, readTokens(this.source, withJsx, this.isTyped, false).tokens);
      const { code, sourceMap } = transform(this.source, {
        transforms: this.transforms,
        disableESTransforms: true,
        production: true,
        filePath: this.path,
        sourceMapOptions: { compiledFilename: this.path },
        ...(withJsx ? jsxOptions(this.source) : {}),
      });
      this.text = code;
      this.origins = new Origins(sourceMap.mappings);
    } catch (error) {
      if (error instanceof SourceFault || error instanceof RangeError) throw error;
      const message = error.message.replace(`Error transforming ${this.path}: `, "");
      throw this.sourceFault(message, error.pos ?? 0);
    }
  }

  // -- syntax ---------------------------------------------------------------------------------------------------

  /** Return the syntax tree; CommonJS may say what a module may not: `with`, return, 017. */
  parsed() {
    if (this.extension === "cjs") return this.parsedAs(SCRIPT);
    try {
      return this.parsedAs(MODULE);
    } catch (error) {
      if (!(error instanceof SourceFault)) throw error;
      try {
        const program = this.parsedAs(SCRIPT);
        if (this.isCommonJs(program, analyse(program))) return program;
      } catch (other) {
        if (!(other instanceof SourceFault)) throw other;
      }
      throw error;
    }
  }

  parsedAs(options) {
    try {
      return parse(this.text, options);
    } catch (error) {
      if (typeof error.pos !== "number") throw error;
      throw this.fault(error.message, error.pos);
    }
  }

  isCommonJs(program, analysis) {
    if (this.extension === "cjs") return true;
    const isModule = program.body.some(({ type }) => /^(?:Import|Export)/.test(type)) || analysis.metas.length > 0;
    if (isModule || this.extension === "mjs" || this.extension === "mts") return false;
    return analysis.references.some(
      (one) => (one.node.name === "module" || one.node.name === "exports") && analysis.isFree(one),
    );
  }

  /** Let V8 parse the result: acorn knows the language as it was when it was published. */
  checkWithEngine(code) {
    try {
      new Function(`return ${code}`);
    } catch (error) {
      if (error instanceof SyntaxError) throw new SourceFault(decapitalised(error.message), 1, 1);
      throw error;
    }
  }

  // -- places ---------------------------------------------------------------------------------------------------

  /** Return a fault at an offset of the text without types. */
  fault(message, offset) {
    const { line, column } = this.original(offset);
    return this.sourceFault(message, this.sourceLines.offsetOf(line, column));
  }

  /** Return a fault at an offset of the source; the message is a library's. */
  sourceFault(message, offset) {
    const { line, column } = this.sourceLines.positionAt(offset);
    const plain = decapitalised(message.replace(/ \(\d+:\d+\)$/, "")).replace(/\.$/, "");
    return new SourceFault(explained(plain, this.source, offset, this.extension), line, column);
  }

  /** Return where the author wrote what stands at an offset of the text without types. */
  original(offset) {
    const position = this.lines.positionAt(offset);
    if (this.origins === null) return position;
    const { line, column } = this.origins.of(position);
    return this.sourceLines.positionAt(this.sourceLines.offsetOf(line, column)); // what Sucrase added is nowhere there
  }

  located({ specifier, node, dynamic, names, type }) {
    const isJson = specifier.endsWith(".json");
    if (type !== undefined && !(type === "json" && isJson)) {
      throw this.fault(`with { type: "${type}" } is not available; only JSON files, with { type: "json" }`, node.start);
    }
    return {
      specifier,
      dynamic,
      ...this.original(node.start),
      names: names.map((one) => ({ name: one.name, ...this.original(one.node.start) })),
    };
  }
}

/** Return Sucrase's options for what the comments at the beginning of a file say: @jsx h, @jsxImportSource preact. */
function jsxOptions(source) {
  const comments = /^(?:#!.*|\s|\/\*[^]*?\*\/|\/\/.*)*/.exec(source)[0];
  const pragma = (name) => new RegExp(`@${name}\\s+([\\w$./@-]+)`).exec(comments)?.[1];
  const factory = pragma("jsx");
  if (factory !== undefined && pragma("jsxRuntime") !== "automatic") {
    return { jsxRuntime: "classic", jsxPragma: factory, jsxFragmentPragma: pragma("jsxFrag") ?? "Fragment" };
  }
  return { jsxRuntime: "automatic", jsxImportSource: pragma("jsxImportSource") ?? JSX_SOURCE };
}

/** Return the message, better where the fault is a known one. */
function explained(message, text, offset, extension) {
  if (text[offset] === "@") return "decorators are not supported";
  if (text[offset] === "<" && !extension.endsWith("x") && /^<[A-Za-z>]/.test(text.slice(offset, offset + 2))) {
    return `${message}; if this is JSX, the file's name must end in .jsx or .tsx`;
  }
  return message;
}

function decapitalised(message) {
  return message.replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase());
}

/** Return a path as V8 takes it for the name of a script: without spaces and quotes. */
function sourceUrl(path) {
  return path.replace(/[\s"'%]/g, (character) => encodeURIComponent(character).replace("'", "%27"));
}

/** The door for the host: compile, answered as JSON. */
globalThis.faztCompile = (path, source) => JSON.stringify(compile(path, source));
