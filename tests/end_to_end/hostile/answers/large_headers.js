// Answers with a header of 100 KB.
export default () => new Response("x", { headers: { "x-large": "y".repeat(100000) } });
