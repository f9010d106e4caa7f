// Shows the time, and the log of the bell: fetched now, and again while somebody looks.

const HOUR_MS = 3600000;
const LOOK_MS = 15000;
const log = document.querySelector(".log");
const empty = document.querySelector(".empty");
const next = document.querySelector(".next");
const times = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const days = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
let shown = "";

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function seconds(ms) {
  if (ms < 1000) return "on time";
  return ms < 90000 ? `${Math.round(ms / 1000)} s late` : `${Math.round(ms / 60000)} min late`;
}

function strikeItem({ due, struck, strikes, echo }) {
  const time = element("time", { dateTime: new Date(due).toISOString() }, times.format(due));
  const bells = element("span", { className: "bells", role: "img", ariaLabel: `${strikes} strikes` });
  for (let i = 0; i < strikes; i++) bells.append(element("i"));
  const heard = echo === null ? "the echo is on its way" : `echo after ${Math.max(1, Math.round((echo - struck) / 1000))} s`;
  return element("li", {}, time, bells, element("span", { className: "how" }, `${seconds(struck - due)} · ${heard}`));
}

async function look() {
  const response = await fetch("/api/strikes");
  const text = await response.text();
  if (!response.ok || text === shown) return;
  shown = text;
  const { strikes } = JSON.parse(text);
  const items = [];
  let day = "";
  for (const strike of strikes) {
    if (days.format(strike.due) !== day) {
      day = days.format(strike.due);
      items.push(element("li", { className: "day" }, day));
    }
    items.push(strikeItem(strike));
  }
  log.replaceChildren(...items);
  empty.hidden = strikes.length > 0;
}

function tick() {
  const now = new Date();
  const minutes = now.getMinutes() + now.getSeconds() / 60;
  document.querySelector(".hour").style.rotate = `${(now.getHours() % 12) * 30 + minutes / 2}deg`;
  document.querySelector(".minute").style.rotate = `${minutes * 6}deg`;
  const left = Math.ceil((HOUR_MS - (now.getTime() % HOUR_MS)) / 60000); // an hour of UTC: periods know no time zone
  next.textContent = left > 1 ? `Next strike in ${left} minutes` : "Next strike within a minute";
}

for (let i = 0; i < 60; i++) {
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", i % 5 ? "M0-82v4" : "M0-82v11");
  line.setAttribute("transform", `rotate(${i * 6})`);
  if (i % 5 === 0) line.classList.add("hour-mark");
  document.querySelector(".ticks").append(line);
}
tick();
setInterval(tick, 1000);
const lookAgain = () => document.hidden || look().catch(() => {}); // the next look may succeed
lookAgain();
setInterval(lookAgain, LOOK_MS);
document.addEventListener("visibilitychange", lookAgain);
