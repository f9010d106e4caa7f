// What the names of a module mean: one walk over the syntax tree that finds the references which no scope inside the
// module binds differently, and what only modules have: import(), import.meta, await outside of functions.
// Rule: the walk knows nothing of how modules are linked.

const FUNCTIONS = new Set(["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"]);
const SKIPPED = new Set(["type", "start", "end", "loc", "range", "sourceType", "raw", "regex", "bigint"]);
const STATEMENT_LISTS = new Set(["Program", "BlockStatement", "StaticBlock", "SwitchCase"]);

class Scope {
  constructor(parent, isFunction) {
    this.parent = parent;
    this.isFunction = isFunction;
    this.names = new Set();
  }

  /** Return the scope that a `var` declares its names in. */
  get functionScope() {
    let scope = this;
    while (!scope.isFunction) scope = scope.parent;
    return scope;
  }
}

/**
 * Return {references, dynamicImports, metas, requires, topLevelAwait, names} of a program.
 *
 * A reference is {node, kind, needsSemicolon}: kind "call" where the name is what is called, "shorthand" in `{name}`,
 * else "plain"; needsSemicolon where a statement begins with it. `isBound(reference)` says whether the reference means
 * a name declared inside the module, at its top level or deeper.
 */
export function analyse(program) {
  const walk = new Walk(program);
  walk.children(program, walk.top);
  return walk;
}

class Walk {
  constructor(program) {
    this.top = new Scope(null, true);
    this.references = [];
    this.dynamicImports = [];
    this.metas = [];
    this.requires = [];
    this.topLevelAwait = null;
    this.functionDepth = 0;
    this.statementStarts = new Set(); // where a statement of a list begins
    this.declareAll(program.body, this.top);
  }

  /** Say whether a reference means a name that a scope below the top level of the module binds. */
  isShadowed(reference) {
    for (let scope = reference.scope; scope !== this.top; scope = scope.parent) {
      if (scope.names.has(reference.node.name)) return true;
    }
    return false;
  }

  /** Say whether a reference means something that the module does not declare: a global. */
  isFree(reference) {
    return !this.isShadowed(reference) && !this.top.names.has(reference.node.name);
  }

  // -- declarations ---------------------------------------------------------------------------------------------

  /** Declare the names of the statements of a list that its whole scope sees. */
  declareAll(statements, scope) {
    for (const outer of statements) {
      const statement = outer.type.startsWith("Export") && outer.declaration ? outer.declaration : outer;
      if (statement.type === "FunctionDeclaration" || statement.type === "ClassDeclaration") {
        if (statement.id) scope.names.add(statement.id.name);
      } else if (statement.type === "VariableDeclaration" && statement.kind !== "var") {
        for (const { id } of statement.declarations) bindPattern(id, scope);
      } else if (statement.type === "ImportDeclaration") {
        for (const { local } of statement.specifiers) scope.names.add(local.name);
      }
    }
  }

  // -- the walk -------------------------------------------------------------------------------------------------

  children(node, scope) {
    if (STATEMENT_LISTS.has(node.type)) {
      const list = node.type === "SwitchCase" ? node.consequent : node.body;
      for (const statement of list) this.statementStarts.add(statement.start);
    }
    for (const key in node) {
      if (SKIPPED.has(key)) continue;
      const value = node[key];
      if (Array.isArray(value)) {
        for (const item of value) if (item !== null) this.visit(item, scope);
      } else if (value !== null && typeof value === "object" && typeof value.type === "string") {
        this.visit(value, scope);
      }
    }
  }

  visit(node, scope) {
    const special = VISITORS[node.type];
    if (special) special(this, node, scope);
    else this.children(node, scope);
  }

  refer(node, scope, kind) {
    this.references.push({ node, scope, kind, needsSemicolon: this.statementStarts.has(node.start) });
  }

  /** Visit what a pattern evaluates: defaults and computed keys, not the names that it binds. */
  patternValues(pattern, scope) {
    if (pattern === null || pattern.type === "Identifier") return;
    if (pattern.type === "AssignmentPattern") {
      this.patternValues(pattern.left, scope);
      this.visit(pattern.right, scope);
    } else if (pattern.type === "ArrayPattern") {
      for (const element of pattern.elements) this.patternValues(element, scope);
    } else if (pattern.type === "RestElement") {
      this.patternValues(pattern.argument, scope);
    } else {
      for (const property of pattern.properties) {
        if (property.type === "RestElement") continue;
        if (property.computed) this.visit(property.key, scope);
        this.patternValues(property.value, scope);
      }
    }
  }

  visitFunction(node, outer) {
    if (node.type === "FunctionDeclaration" && node.id) outer.names.add(node.id.name);
    const scope = new Scope(outer, true);
    if (node.type === "FunctionExpression" && node.id) scope.names.add(node.id.name);
    if (node.type !== "ArrowFunctionExpression") scope.names.add("arguments");
    this.functionDepth += 1;
    for (const parameter of node.params) bindPattern(parameter, scope);
    for (const parameter of node.params) this.patternValues(parameter, scope);
    if (node.body.type === "BlockStatement") {
      this.declareAll(node.body.body, scope);
      this.children(node.body, scope);
    } else {
      this.visit(node.body, scope);
    }
    this.functionDepth -= 1;
  }

  visitClass(node, outer) {
    const scope = new Scope(outer, false);
    if (node.id) scope.names.add(node.id.name);
    if (node.superClass) this.visit(node.superClass, scope);
    this.visit(node.body, scope);
  }

  /** Visit the key and the value of a method, a field or a property; a field is evaluated like a function. */
  visitMember(node, scope) {
    if (node.computed) this.visit(node.key, scope);
    if (!node.value) return;
    const isField = node.type === "PropertyDefinition";
    if (isField) this.functionDepth += 1;
    this.visit(node.value, isField ? new Scope(scope, true) : scope);
    if (isField) this.functionDepth -= 1;
  }

  awaitAt(node) {
    if (this.functionDepth === 0) this.topLevelAwait ??= node;
  }
}

function bindPattern(pattern, scope) {
  if (pattern === null) return;
  if (pattern.type === "Identifier") scope.names.add(pattern.name);
  else for (const name of namesOf(pattern)) scope.names.add(name);
}

/** Return the names that a pattern binds. */
export function namesOf(pattern) {
  switch (pattern?.type) {
    case "Identifier":
      return [pattern.name];
    case "AssignmentPattern":
      return namesOf(pattern.left);
    case "RestElement":
      return namesOf(pattern.argument);
    case "ArrayPattern":
      return pattern.elements.flatMap(namesOf);
    case "ObjectPattern":
      return pattern.properties.flatMap((property) => namesOf(property.value ?? property.argument));
    default:
      return [];
  }
}

function visitBlock(walk, node, outer) {
  const scope = new Scope(outer, node.type === "StaticBlock");
  walk.functionDepth += node.type === "StaticBlock" ? 1 : 0;
  if (node.type === "SwitchStatement") {
    for (const { consequent } of node.cases) walk.declareAll(consequent, scope);
  } else if (Array.isArray(node.body)) {
    walk.declareAll(node.body, scope);
  }
  walk.children(node, scope);
  walk.functionDepth -= node.type === "StaticBlock" ? 1 : 0;
}

function visitLoop(walk, node, outer) {
  const scope = new Scope(outer, false);
  if (node.await) walk.awaitAt(node);
  walk.children(node, scope);
}

const VISITORS = {
  Identifier: (walk, node, scope) => walk.refer(node, scope, "plain"),
  ClassDeclaration: (walk, node, scope) => walk.visitClass(node, scope),
  ClassExpression: (walk, node, scope) => walk.visitClass(node, scope),
  MethodDefinition: (walk, node, scope) => walk.visitMember(node, scope),
  PropertyDefinition: (walk, node, scope) => walk.visitMember(node, scope),
  BlockStatement: visitBlock,
  StaticBlock: visitBlock,
  SwitchStatement: visitBlock,
  ForStatement: visitLoop,
  ForInStatement: visitLoop,
  ForOfStatement: visitLoop,
  LabeledStatement: (walk, node, scope) => walk.visit(node.body, scope),
  BreakStatement: () => {},
  ContinueStatement: () => {},
  ImportDeclaration: () => {},
  ExportAllDeclaration: () => {},

  ExportNamedDeclaration(walk, node, scope) {
    if (node.declaration) walk.visit(node.declaration, scope); // `export { a }` is the linker's to read
  },

  CatchClause(walk, node, outer) {
    const scope = new Scope(outer, false);
    if (node.param) {
      bindPattern(node.param, scope);
      walk.patternValues(node.param, scope);
    }
    walk.visit(node.body, scope);
  },

  VariableDeclaration(walk, node, scope) {
    if (node.kind === "await using") walk.awaitAt(node);
    const owner = node.kind === "var" ? scope.functionScope : scope;
    for (const { id, init } of node.declarations) {
      bindPattern(id, owner);
      walk.patternValues(id, scope);
      if (init) walk.visit(init, scope);
    }
  },

  MemberExpression(walk, node, scope) {
    walk.visit(node.object, scope);
    if (node.computed) walk.visit(node.property, scope);
  },

  Property(walk, node, scope) {
    if (!node.shorthand) return walk.visitMember(node, scope);
    const isTarget = node.value.type === "AssignmentPattern"; // `({ a = 1 } = b)`
    walk.refer(isTarget ? node.value.left : node.value, scope, "shorthand");
    if (isTarget) walk.visit(node.value.right, scope);
  },

  CallExpression(walk, node, scope) {
    if (node.callee.type === "Identifier") {
      walk.refer(node.callee, scope, "call");
      if (node.callee.name === "require" && node.arguments.length === 1) walk.requires.push({ node, scope });
    } else {
      walk.visit(node.callee, scope);
    }
    for (const argument of node.arguments) walk.visit(argument, scope);
  },

  TaggedTemplateExpression(walk, node, scope) {
    if (node.tag.type === "Identifier") walk.refer(node.tag, scope, "call");
    else walk.visit(node.tag, scope);
    walk.visit(node.quasi, scope);
  },

  ImportExpression(walk, node, scope) {
    walk.dynamicImports.push(node);
    walk.children(node, scope);
  },

  MetaProperty(walk, node) {
    if (node.meta.name === "import") walk.metas.push(node);
  },

  AwaitExpression(walk, node, scope) {
    walk.awaitAt(node);
    walk.children(node, scope);
  },
};
for (const type of FUNCTIONS) VISITORS[type] = (walk, node, scope) => walk.visitFunction(node, scope);
