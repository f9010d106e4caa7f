// Imports itself without end.
export default async () => {
  for (;;) await import("./dynamic_import.js");
};
