// Reads and lists files that are not the site's.
const PATHS = [
  "/etc/passwd", "../../../../etc/passwd", "..%2f..%2fetc/passwd", "/proc/self/environ", "../data.db", "data.db",
  "file:///etc/passwd", "\0/etc/passwd", "index.html/../../x", "..\\..\\x", "C:\\x", "~/x", "good/index.html",
];
export default async (request, { fazt }) => {
  const reached = [];
  for (const path of PATHS) {
    try {
      if ((await fazt.files.read(path)) !== null) reached.push(path);
    } catch {
      // refused
    }
    const { items } = await fazt.files.list(path).catch(() => ({ items: [] }));
    for (const item of items) reached.push(item.path);
  }
  return Response.json({ reached });
};
