// Answers with headers of 10 MB.
export default () => new Response("x", { headers: { "x-larger": "y".repeat(10000000) } });
