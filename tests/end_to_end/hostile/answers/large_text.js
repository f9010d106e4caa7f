// Answers with more text than an answer may have.
export default () => new Response("x".repeat(40000000));
