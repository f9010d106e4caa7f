// Says that the body is shorter than it is, and that it comes in chunks.
export default () => new Response('{"reached":[]}', {
  headers: { "content-length": "5", "transfer-encoding": "chunked", connection: "close", "keep-alive": "x", upgrade: "h2c" },
});
