// A module that never finishes loading.
for (;;);
export default () => new Response("loaded");
