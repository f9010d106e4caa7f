// Numbers over time, drawn by uPlot. The same numbers stand in a table for who prefers or needs one.
// Rule: its height never changes, whatever is loaded, so that nothing under it jumps.

import { html, useEffect, useMemo, useRef, useState } from "../vendor/preact.js";
import uPlot from "../vendor/uplot.js";

const HEIGHT = 240;
const HOUR_S = 3600;

// `times`: seconds since 1970, in order. `series`: [{ label, values, color, format? }], color the name of a CSS variable.
export function Chart({ times, series, label, step = "day", height = HEIGHT }) {
  const place = useRef(null);
  const plot = useRef(null);
  const [at, setAt] = useState(null);
  const [theme, setTheme] = useState(0);
  const data = useMemo(() => [times, ...series.map((each) => each.values)], [times, series]);
  const shape = series.map((each) => each.label + each.color).join();

  useEffect(() => followTheme(() => setTheme((count) => count + 1)), []);
  useEffect(() => {
    const element = place.current;
    const width = Math.max(element.clientWidth, 120);
    plot.current = new uPlot(options({ series, step, width, height, element, onCursor: setAt }), data, element);
    const observer = new ResizeObserver(([entry]) => {
      const wide = Math.floor(entry.contentRect.width);
      if (wide > 0 && wide !== plot.current?.width) plot.current?.setSize({ width: wide, height });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [shape, step, theme, height]);
  useEffect(() => plot.current?.setData(data), [data]);

  const move = (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (by === undefined || !times.length) return;
    event.preventDefault();
    const next = Math.min(Math.max((at ?? (by < 0 ? times.length : -1)) + by, 0), times.length - 1);
    plot.current.setCursor({ left: plot.current.valToPos(times[next], "x"), top: 10 });
    setAt(next);
  };
  return html`<figure class="chart">
    <${Legend} times=${times} series=${series} at=${at} step=${step} />
    <div class="chart-place" ref=${place} tabindex="0" role="img" aria-label="${label}. ${summary(times, series, step)}"
      onKeyDown=${move} onBlur=${() => setAt(null)} style=${{ height: `${height}px` }}></div>
    <${Table} times=${times} series=${series} label=${label} step=${step} />
  </figure>`;
}

// The values under the pointer, else of all: it has the same height with and without.
function Legend({ times, series, at, step }) {
  const when = at === null || times[at] === undefined ? "All" : timeText(times[at], step);
  return html`<figcaption class="chart-legend" aria-live="polite">
    <span class="quiet nowrap chart-when">${when}</span>
    ${series.map((each) => html`<span class="nowrap" key=${each.label}>
      <i class="chart-dot ${dotClass(each.color)}"></i>${each.label} <b>${shown(each, at)}</b>
    </span>`)}
  </figcaption>`;
}

function Table({ times, series, label, step }) {
  const [open, setOpen] = useState(false);
  return html`<details class="chart-table" onToggle=${(event) => setOpen(event.target.open)}>
    <summary class="quiet small">Show as a table</summary>
    ${open && html`<div class="table-scroll" tabindex="0" role="region" aria-label=${label}><table class="table">
      <thead><tr><th scope="col">Time</th>${series.map((each) => html`<th scope="col" class="number">${each.label}</th>`)}</tr></thead>
      <tbody>${times.map((time, index) => html`<tr key=${time}>
        <td class="nowrap">${timeText(time, step)}</td>
        ${series.map((each) => html`<td class="number">${formatted(each, each.values[index])}</td>`)}
      </tr>`)}</tbody>
    </table></div>`}
  </details>`;
}

function formatted({ format }, value) {
  if (value === null || value === undefined) return "–";
  return format ? format(value) : value.toLocaleString("en");
}

function shown(each, at) {
  if (at !== null) return formatted(each, each.values[at]);
  const known = each.values.filter((value) => value !== null);
  return formatted(each, known.reduce((sum, value) => sum + value, 0));
}

const DOTS = { "--chart-1": "one", "--chart-2": "two", "--chart-3": "three", "--chart-4": "four" };
const dotClass = (color) => DOTS[color] ?? "one";

function summary(times, series, step) {
  if (!times.length) return "There are no numbers yet.";
  const said = series.map((each) => `${each.label} ${shown(each, null)}`).join(", ");
  return `From ${timeText(times[0], step)} to ${timeText(times.at(-1), step)}: ${said}.`;
}

// Days are those of UTC, as they are counted; hours are those of whoever looks.
const format = (options) => new Intl.DateTimeFormat("en-GB", options);
const DAY = format({ day: "numeric", month: "short" });
const DAY_UTC = format({ day: "numeric", month: "short", timeZone: "UTC" });
const MONTH_UTC = format({ month: "short", year: "2-digit", timeZone: "UTC" });
const CLOCK = format({ hour: "2-digit", minute: "2-digit" });
const HOUR_WHOLE = format({ weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const DAY_WHOLE = format({ weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });

function timeText(time, step) {
  return (step === "hour" ? HOUR_WHOLE : DAY_WHOLE).format(new Date(time * 1000));
}

const DAY_S = 24 * HOUR_S;
const HOUR_STEPS = [1, 2, 3, 6, 12, 24].map((hours) => hours * HOUR_S);
const DAY_STEPS = [1, 2, 7, 14, 28, 56, 91, 182, 364].map((days) => days * DAY_S);

function ticks(step) {
  return (_plot, splits, _axis, _space, increment) => splits.map((split) => {
    const date = new Date(split * 1000);
    if (step === "day") return (increment > 28 * DAY_S ? MONTH_UTC : DAY_UTC).format(date);
    return date.getHours() === 0 && date.getMinutes() === 0 ? DAY.format(date) : CLOCK.format(date);
  });
}

function short(value) {
  if (Math.abs(value) >= 1e6) return `${+(value / 1e6).toFixed(1)} M`;
  if (Math.abs(value) >= 1e4) return `${+(value / 1e3).toFixed(1)} k`;
  return value.toLocaleString("en");
}

function followTheme(onChange) {
  const observer = new MutationObserver(onChange);
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ["class", "data-theme"] });
  return () => observer.disconnect();
}

function options({ series, step, width, height, element, onCursor }) {
  const style = getComputedStyle(element);
  const value = (name) => style.getPropertyValue(name).trim();
  const font = `12px ${value("--font") || "system-ui"}`;
  const axis = { stroke: value("--quiet"), font, ticks: { show: false }, grid: { stroke: value("--line"), width: 1 } };
  return {
    width,
    height,
    padding: [8, 24, 0, 0],
    tzDate: (time) => (step === "day" ? uPlot.tzDate(new Date(time * 1000), "Etc/UTC") : new Date(time * 1000)),
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
    scales: { x: { time: true }, y: { range: (_plot, _low, high) => [0, high > 0 ? high * 1.08 : 1] } },
    axes: [
      { ...axis, grid: { show: false }, values: ticks(step), space: 64, incrs: step === "hour" ? HOUR_STEPS : DAY_STEPS },
      { ...axis, size: 52, values: (_plot, splits) => splits.map((each) => (Number.isInteger(each) ? short(each) : "")) },
    ],
    series: [
      {},
      ...series.map((each, index) => ({
        label: each.label,
        stroke: value(each.color),
        fill: index === 0 ? translucent(value(each.color)) : undefined,
        width: 2,
        points: { show: false },
        spanGaps: false,
      })),
    ],
    hooks: { setCursor: [(plot) => onCursor(plot.cursor.idx ?? null)] },
  };
}

function translucent(color) {
  return /^#[0-9a-f]{6}$/i.test(color) ? `${color}22` : color;
}
