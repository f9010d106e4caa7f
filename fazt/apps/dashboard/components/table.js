// Table({columns: [{name, cell(item), number, wide}], items, keyOf(item), empty, label}): skeletons while items is null.
// Badge({kind}), Card({title, actions, flush}), Figure({label, value, hint}), Skeleton({size}), Page({title, about, actions}).
import { html } from "../vendor/preact.js";

export function Table({ columns, items, keyOf, empty, label }) {
  if (items && items.length === 0 && empty) return empty;
  return html`<div class="table-scroll" tabindex="0" role="region" aria-label=${label}><table class="table">
    <thead><tr>${columns.map((column) => html`<th scope="col" class=${classes(column)}>${column.name || html`<span class="visually-hidden">Actions</span>`}</th>`)}</tr></thead>
    <tbody>${items
      ? items.map((item) => html`<tr key=${keyOf(item)}>${columns.map((column) => html`<td class=${classes(column)}>${column.cell(item)}</td>`)}</tr>`)
      : [1, 2, 3].map(() => html`<tr>${columns.map((column) => html`<td class=${classes(column)}><div class="skeleton line-size"></div></td>`)}</tr>`)}
    </tbody></table></div>`;
}

const classes = (column) => [column.number ? "number" : "", column.wide ? "only-wide" : "", column.class ?? ""].join(" ");

export function Badge({ kind = "", children }) {
  return html`<span class=${`badge ${kind}`}>${children}</span>`;
}

export function Card({ title, actions, flush, children, label }) {
  return html`<section class=${`card ${flush ? "flush" : ""}`} aria-label=${label ?? title}>
    ${(title || actions) && html`<header>${title && html`<h2>${title}</h2>`}<div class="row">${actions}</div></header>`}
    ${children}
  </section>`;
}

export function Figure({ label, value, hint }) {
  return html`<div class="figure"><span class="label">${label}</span><span class="value">${value}</span>${hint && html`<span class="label">${hint}</span>`}</div>`;
}

export function Skeleton({ size = "line" }) {
  return html`<div class=${`skeleton ${size}-size`} aria-hidden="true"></div>`;
}

export function Page({ title, about, actions, children }) {
  return html`<div class="page"><header><div><h1>${title}</h1>${about && html`<p>${about}</p>`}</div>
    ${actions && html`<div class="row">${actions}</div>`}</header>${children}</div>`;
}
