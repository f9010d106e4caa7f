// The entries: GET gives a page of them as JSON; POST adds one, from a form or as JSON.

import { addEntry, listEntries, mayWrite, readEntry } from "./_lib/book.js";
import { bookPage } from "./_lib/page.jsx";

export async function GET(request, { fazt }) {
  return Response.json(await listEntries(fazt.kv, new URL(request.url).searchParams.get("after")));
}

export async function POST(request, { fazt, ip }) {
  const isJson = request.headers.get("content-type")?.startsWith("application/json") ?? false;
  let fields;
  try {
    fields = isJson ? await request.json() : Object.fromEntries(await request.formData());
  } catch {
    return Response.json({ problem: "This is neither a form nor JSON." }, { status: 400 });
  }
  const { entry, problem } = readEntry(fields ?? {});

  const refuse = (status, problem, headers = {}) =>
    isJson ? Response.json({ problem }, { status, headers }) : bookPage(fazt, { status, problem, entry });
  if (problem) return refuse(422, problem);
  if (!(await mayWrite(fazt.kv, ip))) {
    console.warn(`${ip} writes too much`);
    return refuse(429, "That was quick. Please wait a minute before you write again.", { "retry-after": "60" });
  }

  const added = await addEntry(fazt.kv, entry);
  console.log(`${added.name} signed the book`);
  // 303: the browser asks for the page, and its "reload" does not send the form a second time.
  return isJson ? Response.json(added, { status: 201 }) : new Response(null, { status: 303, headers: { location: "/api/book" } });
}
