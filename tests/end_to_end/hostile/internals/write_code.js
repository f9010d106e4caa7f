// Writes what would be code or rules of the site, and paths outside of it.
const PATHS = [
  "api/new.js", "/api/new.js", "api/harmless.js", "fazt.json", "_headers", "_redirects", "lib/spy.js", "../x.html",
  "/../x.html", "api/../api/x.js", "./api/x.js", "API/x.js", "api/_jobs/x.js", "a//b", "a/./b", "", "/", "\0", "a\nb",
];
export default async (request, { fazt }) => {
  const reached = [];
  for (const path of PATHS) {
    try {
      await fazt.files.write(path, "export default () => new Response('written');");
      reached.push(path);
    } catch {
      // refused
    }
  }
  return Response.json({ reached });
};
