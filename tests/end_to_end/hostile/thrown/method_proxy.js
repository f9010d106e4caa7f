// Exports a handler that loops when it is called.
export const GET = new Proxy(() => {}, { apply() { for (;;); } });
