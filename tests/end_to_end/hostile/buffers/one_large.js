// One buffer as large as there can be.
export default () => {
  const bytes = new Uint8Array(2 ** 33);
  for (let at = 0; at < bytes.length; at += 4096) bytes[at] = 1;
  return new Response(String(bytes.length));
};
