// Answers with more bytes than an answer may have.
export default () => new Response(new Uint8Array(40000000));
