// FormData: names with strings and files. How it goes over the wire is multipart.js.
//
// Rule: a value is a string or a File, nothing else.

import { defineInterface, definePairIterable, isObject, requireArguments, toUsvString } from "./webidl.js";
import { blobBytes, isBlob, isFile, makeFile } from "./blob.js";

export let isFormData;
export let formEntries; // (form) -> its pairs
export let formFrom; // (pairs) -> FormData over this very list

function toEntry(given, name, value, filename, what) {
  const key = toUsvString(name);
  if (given > 2 || (isObject(value) && isBlob(value))) {
    if (!isBlob(value)) throw new TypeError(`${what}: a file name was given, but the value is no Blob`);
    const file = filename === undefined ? undefined : toUsvString(filename);
    if (isFile(value) && file === undefined) return [key, value];
    const label = file ?? (isFile(value) ? value.name : "blob");
    return [key, makeFile(blobBytes(value), value.type, label, isFile(value) ? value.lastModified : undefined)];
  }
  return [key, toUsvString(value)];
}

export class FormData {
  #entries = [];

  constructor(form = undefined) {
    if (form !== undefined) throw new TypeError("new FormData: there are no forms here; append the fields one by one");
  }

  append(name, value, filename = undefined) {
    this.#entries;
    requireArguments(arguments.length, 2, "FormData.append");
    this.#entries.push(toEntry(arguments.length, name, value, filename, "FormData.append"));
  }

  delete(name) {
    this.#entries;
    requireArguments(arguments.length, 1, "FormData.delete");
    const key = toUsvString(name);
    const list = this.#entries;
    for (let i = list.length - 1; i >= 0; i--) if (list[i][0] === key) list.splice(i, 1);
  }

  get(name) {
    const list = this.#entries;
    requireArguments(arguments.length, 1, "FormData.get");
    const key = toUsvString(name);
    for (let i = 0; i < list.length; i++) if (list[i][0] === key) return list[i][1];
    return null;
  }

  getAll(name) {
    const list = this.#entries;
    requireArguments(arguments.length, 1, "FormData.getAll");
    const key = toUsvString(name);
    const values = [];
    for (let i = 0; i < list.length; i++) if (list[i][0] === key) values.push(list[i][1]);
    return values;
  }

  has(name) {
    const list = this.#entries;
    requireArguments(arguments.length, 1, "FormData.has");
    const key = toUsvString(name);
    for (let i = 0; i < list.length; i++) if (list[i][0] === key) return true;
    return false;
  }

  set(name, value, filename = undefined) {
    const list = this.#entries;
    requireArguments(arguments.length, 2, "FormData.set");
    const entry = toEntry(arguments.length, name, value, filename, "FormData.set");
    let found = false;
    for (let i = 0; i < list.length; i++) {
      if (list[i][0] !== entry[0]) continue;
      if (found) list.splice(i--, 1);
      else {
        list[i] = entry;
        found = true;
      }
    }
    if (!found) list.push(entry);
  }

  static {
    isFormData = (value) => isObject(value) && #entries in value;
    formEntries = (form) => form.#entries;
    formFrom = (entries) => {
      const form = new FormData();
      form.#entries = entries;
      return form;
    };
  }
}

definePairIterable(FormData, "FormData", (form) => formEntries(form));
defineInterface(FormData, "FormData");
