// Schemas of OpenAPI as people read them: textOf(schema, described) in the way of TypeScript, exampleOf(...) to begin from.

const nameOf = (ref) => ref.split("/").at(-1);

function meant(schema, described) {
  return schema?.$ref ? (described.components.schemas[nameOf(schema.$ref)] ?? {}) : (schema ?? {});
}

export function textOf(schema, described, depth = 0, inside = []) {
  if (schema?.$ref && (inside.includes(schema.$ref) || depth > 4)) return nameOf(schema.$ref);
  const seen = schema?.$ref ? [...inside, schema.$ref] : inside;
  const own = meant(schema, described);
  const deeper = (each) => textOf(each, described, depth + 1, seen);
  if (own.anyOf ?? own.oneOf) return [...new Set((own.anyOf ?? own.oneOf).map((each) => textOf(each, described, depth, seen)))].join(" | ");
  if ("const" in own) return JSON.stringify(own.const);
  if (own.enum) return own.enum.map((each) => JSON.stringify(each)).join(" | ");
  if (own.type === "array") {
    if (own.prefixItems) return `[${own.prefixItems.map(deeper).join(", ")}]`;
    const item = textOf(own.items, described, depth, seen);
    return item.includes(" | ") ? `(${item})[]` : `${item}[]`;
  }
  if (own.properties) return objectText(own, deeper, "  ".repeat(depth));
  if (own.type === "object") return own.additionalProperties && own.additionalProperties !== true ? `{[name]: ${deeper(own.additionalProperties)}}` : "object";
  return own.format === "date-time" ? "time" : (own.type ?? "any");
}

function objectText(own, deeper, indent) {
  const lines = Object.entries(own.properties).map(([name, each]) => {
    const said = each.description ? `  // ${each.description}` : "";
    return `${indent}  ${name}${own.required?.includes(name) ? "" : "?"}: ${deeper(each)}${said}`;
  });
  return `{\n${lines.join("\n")}\n${indent}}`;
}

export function exampleOf(schema, described, depth = 0) {
  const own = meant(schema, described);
  if ("default" in own) return own.default;
  if ("const" in own) return own.const;
  if (own.enum) return own.enum[0];
  const choices = own.anyOf ?? own.oneOf;
  if (choices) return exampleOf(choices.find((each) => meant(each, described).type !== "null"), described, depth);
  if (own.properties) {
    const needed = Object.keys(own.properties).filter((name) => own.required?.includes(name));
    return depth > 4 ? {} : Object.fromEntries(needed.map((name) => [name, exampleOf(own.properties[name], described, depth + 1)]));
  }
  return { array: [], object: {}, boolean: false, integer: own.minimum ?? 0, number: own.minimum ?? 0 }[own.type] ?? "";
}
