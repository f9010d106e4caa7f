// A line the size of a word: how something went over the last days or hours. It says its figures to who cannot see it.

import { html } from "../vendor/preact.js";

const WIDTH = 120;
const HEIGHT = 28;

export function Spark({ values, label, className = "" }) {
  const known = values?.length > 1 ? values : [0, 0];
  const most = Math.max(...known, 1);
  const points = known.map((value, at) => {
    const x = (at / (known.length - 1)) * WIDTH;
    return `${x.toFixed(1)},${(HEIGHT - 2 - (value / most) * (HEIGHT - 4)).toFixed(1)}`;
  });
  const total = known.reduce((sum, value) => sum + value, 0).toLocaleString("en");
  return html`<svg class="spark ${className}" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img"
    aria-label="${label}: ${total} in all, ${most === 1 && total === "0" ? 0 : most.toLocaleString("en")} at most">
    <polygon points="0,${HEIGHT} ${points.join(" ")} ${WIDTH},${HEIGHT}" />
    <polyline points=${points.join(" ")} />
  </svg>`;
}
