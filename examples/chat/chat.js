// The page's half of the chat. Who is here, what was said and coming back after a lost connection are the work of
// /_fazt/client.js; this shows it.

import { room } from "/_fazt/client.js";

const door = document.querySelector(".door");
const place = document.querySelector(".room");
const problem = door.querySelector(".problem");
const people = document.querySelector(".people");
const messages = document.querySelector(".messages");
const lines = messages.querySelector("ol");
const state = document.querySelector(".state");
const text = document.querySelector("#text");
const nameField = document.querySelector("#name");
const times = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const REFUSED = 4403;
const REASONS = {
  [REFUSED]: "That name cannot be used here: 2 to 24 letters, and nobody’s office. Please choose another one.",
  4429: "Every chair is taken. Please come back later.",
};
const SOON_MS = 180000; // messages of one person that come so soon after each other stand together

let chat = null;
let last = null; // who said what stands last

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function badge(name, hue) {
  const made = element("span", { className: "badge", ariaHidden: "true" }, [...name][0].toUpperCase());
  made.style.setProperty("--hue", hue);
  return made;
}

// Something new is followed only by whoever looks at the end already.
function add(item) {
  const atEnd = messages.scrollHeight - messages.scrollTop - messages.clientHeight < 60;
  lines.append(item);
  if (atEnd) messages.scrollTop = messages.scrollHeight;
}

function showMessage({ from, data, at }) {
  if (from === null || typeof data?.text !== "string") return;
  const mine = from.id === chat.me;
  const goesOn = last !== null && last.id === from.id && at - last.at < SOON_MS;
  const bubble = element("p", { className: "bubble" }, data.text);
  const item = element("li", { className: mine ? "mine" : "" });
  if (!goesOn) {
    const time = element("time", { dateTime: new Date(at).toISOString() }, times.format(at));
    item.append(element("p", { className: "by" }, element("strong", {}, mine ? "You" : from.name), " ", time));
  }
  if (!mine) item.append(goesOn ? element("span") : badge(from.name, data.hue));
  item.append(bubble);
  item.classList.toggle("goes-on", goesOn);
  add(item);
  last = { id: from.id, at };
}

function showNote(words) {
  add(element("li", { className: "note" }, words));
  last = null;
}

function showPeople() {
  const items = chat.members.map(({ id, name, data }) =>
    element("li", {}, badge(name, data.hue), element("span", {}, id === chat.me ? `${name} (you)` : name)));
  people.replaceChildren(...items);
}

function sitDown(name) {
  problem.textContent = "";
  chat = room("chat", { name });
  state.textContent = "Connecting …";
  chat.on("open", () => {
    localStorage.setItem("name", name);
    door.hidden = true;
    place.hidden = false;
    state.textContent = "";
    showPeople();
    text.focus();
  });
  chat.on("message", showMessage);
  chat.on("join", ({ name }) => {
    showPeople();
    showNote(`${name} sat down`);
  });
  chat.on("leave", ({ name }) => {
    showPeople();
    showNote(`${name} went home`);
  });
  chat.on("presence", showPeople);
  chat.on("missed", () => showNote("You were away for long: some of what was said is gone."));
  chat.on("error", ({ message }) => showNote(message));
  chat.on("away", () => (state.textContent = "The line is dead; trying again …"));
  chat.on("close", ({ code }) => getUp(REASONS[code] ?? ""));
}

function getUp(why) {
  lines.replaceChildren();
  last = null;
  place.hidden = true;
  door.hidden = false;
  problem.textContent = why;
  nameField.focus();
}

function say() {
  if (!text.value.trim()) return;
  if (chat.send(text.value)) text.value = "";
  else showNote("That was too much at once. Please wait a moment.");
  fit();
}

// The field grows with what is written into it.
function fit() {
  text.style.height = "auto";
  text.style.height = `${Math.min(text.scrollHeight + 2, 160)}px`;
}

door.querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  sitDown(nameField.value.trim());
});
place.querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  say();
});
text.addEventListener("input", fit);
text.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  say();
});
document.querySelector(".leave").addEventListener("click", () => chat.close());

nameField.value = localStorage.getItem("name") ?? "";
nameField.focus();
