// The files of a version: folders to walk through, a file to look at or to edit, new ones, and ones taken away.

import { get, list } from "../../api.js";
import { quote } from "../../components/cli.js";
import { Dialog } from "../../components/dialog.js";
import { EmptyState } from "../../components/empty.js";
import { Button, Fault, Input, useAction } from "../../components/form.js";
import { Icon } from "../../components/icons.js";
import { LoadFault, useLoad } from "../../components/load.js";
import { Badge, Card, Skeleton, Table } from "../../components/table.js";
import { toast, toastError } from "../../components/toast.js";
import { bytes, count, plural, shortId } from "../../format.js";
import { go, to } from "../../router.js";
import { html, useEffect, useRef, useState } from "../../vendor/preact.js";
import { FileEditor, isEditable } from "./file_editor.js";
import { Faster, fileUrl, imageType, readFile, removeFile, writeFile } from "./file_store.js";
import { at, Commands, takeBack } from "./parts.js";

const MOST_ROWS = 400;

export default function Files({ site, reload, rest }) {
  const [wanted = "live", ...parts] = rest;
  const path = parts.join("/");
  const version = wanted === "live" ? site.live_version : wanted;
  const files = useLoad(() => (version ? list(at(site.name, "versions", version, "files"), { limit: 1000 }) : []), [site.name, version]);
  const versions = useLoad(() => get(at(site.name, "versions"), { limit: 50 }), [site.name, site.live_version]);
  const isLive = version === site.live_version;
  const shown = { site, wanted, path, isLive, editable: isLive && isEditable(site), reload, ...useLast({ version, files: files.data }, wanted) };
  if (files.error) return html`<${LoadFault} error=${files.error} reload=${files.reload} />`;
  return html`<div class="stack">
    <div class="row spread files-bar">
      <${Crumbs} ...${shown} />
      <${VersionChoice} ...${shown} versions=${versions.data?.items} />
    </div>
    ${!isLive && html`<div class="notice"><${Icon} name="info" /><div>This is version <span class="mono">${shortId(version)}</span>, as it was deployed. Versions never change;
      edit the <a href=${to("sites", site.name, "files", "live", ...parts)}>live one</a>, or make this one live first.</div></div>`}
    ${shown.files === null ? html`<${Skeleton} size="block" />` : html`<${Place} ...${shown} parts=${parts} />`}
    <${Commands} lines=${[`fazt versions show ${quote(site.name)}${isLive ? "" : ` ${shortId(version)}`} --files`, `fazt sites export ${quote(site.name)}${isLive ? "" : ` --version ${shortId(version)}`}`]} />
  </div>`;
}

// The list before stays, with the version that it lists, until the next one is there: after saving, the editor must not
// go away and come back, nor take the text of the version before for that of the new one.
function useLast(listed, wanted) {
  const last = useRef(null);
  if (listed.files) last.current = { wanted, listed };
  return last.current?.wanted === wanted ? last.current.listed : listed;
}

function Place({ parts, ...shown }) {
  const { files, path, site } = shown;
  const file = files.find((each) => each.path === path);
  if (file) return html`<${FilePage} key=${path} file=${file} ...${shown} />`;
  const isFolder = path === "" || files.some((each) => each.path.startsWith(`${path}/`));
  if (isFolder) return html`<${Folder} ...${shown} />`;
  if (shown.editable) return html`<${NewFile} key=${path} ...${shown} />`;
  return html`<${EmptyState} icon="file" title="There is no such file" action=${html`<${Button} href=${to("sites", site.name, "files", shown.wanted)}>All files<//>`}>${path}<//>`;
}

function Crumbs({ site, wanted, path }) {
  const parts = path ? path.split("/") : [];
  return html`<nav aria-label="Folder" class="crumbs wrap"><a href=${to("sites", site.name, "files", wanted)}>${site.name}</a>
    ${parts.map((part, index) => html`<span key=${index}><span class="quiet" aria-hidden="true"> / </span>${index === parts.length - 1
      ? html`<b aria-current="page">${part}</b>`
      : html`<a href=${to("sites", site.name, "files", wanted, ...parts.slice(0, index + 1))}>${part}</a>`}</span>`)}</nav>`;
}

function VersionChoice({ site, version, isLive, path, versions }) {
  if (!versions?.length) return null;
  const options = versions.map((each) => [each.live ? "live" : each.id, each.live ? `Live (${shortId(each.id)})` : `${shortId(each.id)} ${each.message.slice(0, 40)}`]);
  const value = isLive ? "live" : version;
  if (!options.some(([id]) => id === value)) options.push([value, shortId(value)]);
  return html`<select class="input version-choice" aria-label="Version" value=${value}
    onChange=${(event) => go("sites", site.name, "files", event.target.value, ...(path ? path.split("/") : []))}>
    ${options.map(([id, text]) => html`<option key=${id} value=${id} selected=${id === value}>${text}</option>`)}</select>`;
}

// What lies in a folder: its folders, with all below them counted, then its files.
function entriesOf(files, folder) {
  const prefix = folder ? `${folder}/` : "";
  const folders = new Map();
  const here = [];
  for (const file of files) {
    if (!file.path.startsWith(prefix)) continue;
    const below = file.path.slice(prefix.length);
    const slash = below.indexOf("/");
    if (slash < 0) here.push({ ...file, name: below });
    else {
      const name = below.slice(0, slash);
      const known = folders.get(name) ?? { name, path: prefix + name, size: 0, files: 0, isFolder: true };
      known.size += file.size;
      known.files += 1;
      folders.set(name, known);
    }
  }
  return [...folders.values(), ...here];
}

function Folder(shown) {
  const { site, files, path, editable, wanted } = shown;
  const [search, setSearch] = useState("");
  const [asking, setAsking] = useState(null);
  const [most, setMost] = useState(MOST_ROWS);
  const found = search ? files.filter((each) => each.path.toLowerCase().includes(search.toLowerCase())).map((each) => ({ ...each, name: each.path })) : entriesOf(files, path);
  if (!files.length) {
    return html`<${Card} flush><${EmptyState} icon="file" title="No files yet" command=${`fazt deploy . --site ${quote(site.name)}`}
      action=${html`<div class="row middle"><${Button} kind="primary" href=${to("sites", site.name)}>Deploy a folder<//>${editable && html`<${Button} onClick=${() => setAsking("new")}>Write the first file<//>`}</div>`}>
      A site is a folder of files. Deploy one, or write an <span class="mono">index.html</span> right here.<//>
      ${asking && html`<${AskPath} ...${shown} onClose=${() => setAsking(null)} />`}<//>`;
  }
  return html`<${Card} flush label="Files">
    <div class="padded row spread list-bar">
      <input class="input search-input" type="search" placeholder="Find a file" aria-label="Find a file" value=${search} onInput=${(event) => { setSearch(event.target.value); setMost(MOST_ROWS); }} />
      ${editable && html`<div class="row"><${Uploads} ...${shown} /><${Button} small kind="primary" icon="plus" onClick=${() => setAsking("new")}>New file<//></div>`}
    </div>
    <${Table} label="Files of this folder" items=${found.slice(0, most)} keyOf=${(each) => each.path} columns=${[
      { name: "Name", cell: (each) => html`<a class="file-name" href=${to("sites", site.name, "files", wanted, ...each.path.split("/"))}><${Icon} name=${each.isFolder ? "folder" : "file"} /><span class="wrap">${each.name}</span></a>` },
      { name: "", wide: true, cell: (each) => (each.public === false ? html`<${Badge}>not served<//>` : each.isFolder ? html`<span class="quiet small nowrap">${plural(each.files, "file")}</span>` : "") },
      { name: "Size", number: true, cell: (each) => html`<span class="nowrap">${bytes(each.size)}</span>` },
      ...(editable ? [{ name: "", class: "actions", cell: (each) => (each.isFolder ? "" : html`<${RemoveButton} ...${shown} file=${each.path} small />`) }] : []),
    ]} empty=${html`<${EmptyState} icon="search" title="No file has this in its name">Search looks at whole paths, in all folders.<//>`} />
    ${found.length > most && html`<div class="padded"><${Button} onClick=${() => setMost(most + MOST_ROWS)}>Show more of ${count(found.length)}<//></div>`}
    ${asking && html`<${AskPath} ...${shown} onClose=${() => setAsking(null)} />`}
  <//>`;
}

function AskPath({ site, path, onClose }) {
  const [name, setName] = useState(path ? `${path}/` : "");
  const sound = name !== "" && !/^\/|\/$|\/\/|(^|\/)\.\.?(\/|$)|\\/.test(name);
  const open = () => {
    if (!sound) return;
    onClose();
    go("sites", site.name, "files", "live", ...name.split("/"));
  };
  return html`<${Dialog} title="New file" onClose=${onClose}>
    <form class="stack" onSubmit=${(event) => { event.preventDefault(); open(); }}>
      <${Input} label="Path" hint="Slashes make folders: notes/first.html" value=${name} onInput=${setName} autocomplete="off" spellcheck=${false} />
      <footer><${Button} onClick=${onClose}>Cancel<//><${Button} type="submit" kind="primary" disabled=${!sound}>Write it<//></footer>
    </form>
  <//>`;
}

// Single files into this folder, one version each; many at once are a deploy.
function Uploads({ site, path, reload }) {
  const input = useRef(null);
  const [state, setState] = useState(null);
  const run = async (event) => {
    const files = [...event.target.files];
    event.target.value = "";
    let base = site.live_version;
    const before = base;
    try {
      for (const [index, file] of files.entries()) {
        setState(`${index + 1} of ${files.length}`);
        const made = await writeFile(site.name, path ? `${path}/${file.name}` : file.name, file, base);
        base = made.version ?? base;
      }
      toast(`${plural(files.length, "file")} uploaded.`, { undo: before && takeBack(site.name, base, before, reload) });
    } catch (error) {
      toastError(error instanceof Faster ? new Error("Somebody deployed meanwhile. Look at the new version, and upload again.") : error);
    }
    setState(null);
    await reload();
  };
  return html`<${Button} small icon="upload" busy=${state !== null} onClick=${() => input.current.click()}>${state ?? "Upload"}<//>
    <input type="file" multiple hidden ref=${input} onChange=${run} aria-label="Files to upload here" data-testid="upload" />`;
}

function RemoveButton({ site, file, reload, small, onGone }) {
  const [run, busy] = useAction(async () => {
    const before = site.live_version;
    let made;
    try {
      made = await removeFile(site.name, file, before);
    } catch (error) {
      toastError(error instanceof Faster ? new Error("Somebody deployed meanwhile; nothing was deleted. Look at the new version first.") : error);
      await reload();
      return;
    }
    onGone?.();
    await reload();
    toast(`${file} is gone from the live version.`, { undo: takeBack(site.name, made.version, before, reload) });
  });
  return html`<${Button} small kind="plain" icon="trash" busy=${busy} onClick=${run} aria-label=${`Delete ${file}`} title="Delete">${small ? "" : "Delete"}<//>`;
}

function NewFile({ site, path, reload }) {
  return html`<${FileEditor} site=${site} path=${path} text=${null} version=${site.live_version} editable reload=${reload} />`;
}

function FilePage(shown) {
  const { site, version, wanted, path, file, editable } = shown;
  const content = useLoad(() => readFile(site.name, version, path), [path, file.hash]);
  const last = useRef(null);
  if (content.data) last.current = { ...content.data, version };
  const known = content.data ? { ...content.data, version } : last.current;
  const folder = path.split("/").slice(0, -1);
  const served = file.public !== false;
  return html`<${Card} label=${path} flush>
    <div class="padded row spread list-bar">
      <span class="row"><span class="quiet small nowrap">${bytes(file.size)}</span>${!served && html`<${Badge}>not served to visitors<//>`}</span>
      <div class="row">
        <${Button} small kind="plain" icon="download" href=${`/api${fileUrl(site.name, version, path)}`} download=${path.split("/").pop()}>Download<//>
        ${editable && html`<${RemoveButton} ...${shown} file=${path} onGone=${() => go("sites", site.name, "files", wanted, ...folder)} />`}
      </div>
    </div>
    <div class="padded file-body">
      ${content.error ? html`<${Fault} error=${content.error} />` : !known ? html`<${Skeleton} size="block" />` : html`<${Content} ...${shown} known=${known} />`}
    </div>
  <//>`;
}

function Content({ known, site, path, editable, reload }) {
  const type = imageType(path);
  const [asText, setAsText] = useState(false);
  const isSvg = type === "image/svg+xml";
  if (type && !asText) {
    return html`<div class="stack"><${Picture} blob=${known.blob} type=${type} name=${path} />
      ${isSvg && known.text !== null && html`<div><${Button} small icon="code" onClick=${() => setAsText(true)}>Edit as text<//></div>`}</div>`;
  }
  if (known.text === null) {
    return html`<${EmptyState} icon="file" title=${known.blob.size > 0 ? "This is no text" : "This file is empty"}>It can be downloaded, or replaced by uploading a file of the same name.<//>`;
  }
  return html`<${FileEditor} site=${site} path=${path} text=${known.text} version=${known.version} editable=${editable} reload=${reload} />`;
}

// As an <img> a file of a site can run nothing, an SVG neither.
function Picture({ blob, type, name }) {
  const [url, setUrl] = useState(null);
  const [size, setSize] = useState(null);
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([blob], { type }));
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [blob, type]);
  return html`<figure class="picture">${url && html`<img src=${url} alt=${name} onLoad=${({ target }) => setSize(`${target.naturalWidth} × ${target.naturalHeight}`)} />`}
    <figcaption class="quiet small">${size ?? " "}</figcaption></figure>`;
}
