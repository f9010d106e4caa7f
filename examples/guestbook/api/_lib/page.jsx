// The page as it is sent to whoever has no JavaScript: the site's own index.html, with the entries written into it.

import { LONGEST_TEXT, listEntries } from "./book.js";

function Entry({ name, text, at }) {
  const time = new Date(at);
  return (
    <li>
      <p class="text">{text}</p>
      <p class="by">
        <strong>{name}</strong> <time datetime={time.toISOString()}>{time.toISOString().slice(0, 16).replace("T", " ")} UTC</time>
      </p>
    </li>
  );
}

const HTML = { "content-type": "text/html; charset=utf-8" };

export async function bookPage(fazt, { after, problem = "", entry = { name: "", text: "" }, status = 200 } = {}) {
  const { entries, next } = await listEntries(fazt.kv, after);
  const parts = {
    '<p class="problem" role="alert"></p>': <p class="problem" role="alert">{problem}</p>,
    '<input id="name" name="name" required maxlength="40" autocomplete="name">': (
      <input id="name" name="name" required maxlength="40" autocomplete="name" value={entry.name} />
    ),
    '<textarea id="text" name="text" required maxlength="500" rows="3"></textarea>': (
      <textarea id="text" name="text" required maxlength={LONGEST_TEXT} rows="3">{entry.text}</textarea>
    ),
    '<ol class="entries"></ol>': <ol class="entries">{entries.map((each) => <Entry {...each} />)}</ol>,
    '<p class="more"></p>': <p class="more">{next && <a href={`/api/book?after=${next}#entries-title`}>Older entries</a>}</p>,
    '<script type="module" src="/book.js"></script>': "",
    '<noscript><meta http-equiv="refresh" content="0; url=/api/book"></noscript>': "",
  };
  let html = await fazt.files.text("index.html");
  for (const [mark, part] of Object.entries(parts)) html = html.replace(mark, () => String(part));
  return new Response(html, { status, headers: HTML });
}
