// Stands in for @codemirror/lang-javascript: its grammar is a sixth of the editor, and a mode that reads line by line
// colours as well. HTML takes it for its scripts.
import { LanguageSupport, StreamLanguage } from "@codemirror/language";
import { javascript as plain, typescript as typed } from "@codemirror/legacy-modes/mode/javascript";

function language(mode) {
  const made = StreamLanguage.define(mode);
  made.parser.configure = () => made.parser; // HTML asks for one that begins elsewhere; lines begin anywhere
  return made;
}

export const javascriptLanguage = language(plain);
export const typescriptLanguage = language(typed);
export const jsxLanguage = javascriptLanguage;
export const tsxLanguage = typescriptLanguage;
export const javascript = ({ typescript = false } = {}) => new LanguageSupport(typescript ? typescriptLanguage : javascriptLanguage);
