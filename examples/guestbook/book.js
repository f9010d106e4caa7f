// The entries, fetched and shown; the form, sent without leaving the page. All text goes in as text, never as HTML.

const list = document.querySelector(".entries");
const more = document.querySelector(".more");
const form = document.querySelector("form");
const problem = document.querySelector(".problem");
const dates = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function entryItem({ name, text, at }) {
  const time = element("time", { dateTime: new Date(at).toISOString() }, dates.format(at));
  return element("li", {},
    element("p", { className: "text" }, text),
    element("p", { className: "by" }, element("strong", {}, name), " ", time));
}

async function showPage(after) {
  const response = await fetch(`/api/entries${after ? `?after=${after}` : ""}`);
  if (!response.ok) throw new Error(`status ${response.status}`);
  const { entries, next } = await response.json();
  list.append(...entries.map(entryItem));
  list.classList.toggle("empty", !list.children.length);
  more.replaceChildren();
  if (next) {
    const button = element("button", { type: "button" }, "Older entries");
    button.onclick = () => showPage(next).catch(showTrouble);
    more.append(button);
  }
}

function showTrouble() {
  more.textContent = "The entries could not be fetched. Reload the page to try again.";
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.textContent = "";
  form.querySelector("button").disabled = true;
  try {
    const response = await fetch(form.action, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(Object.fromEntries(new FormData(form))),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.problem ?? "Something went wrong here. Please try again.");
    const item = entryItem(answer);
    item.classList.add("new");
    list.prepend(item);
    list.classList.remove("empty");
    form.reset();
  } catch (error) {
    problem.textContent = error instanceof TypeError ? "The server cannot be reached. Please try again." : error.message;
  } finally {
    form.querySelector("button").disabled = false;
  }
});

showPage().catch(showTrouble);
