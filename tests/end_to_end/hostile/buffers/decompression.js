// A small archive that becomes large: zeros, compressed a thousandfold, many times over.
export default async () => {
  const squeeze = async (bytes) =>
    new Response(new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"))).arrayBuffer();
  const small = await squeeze(new Uint8Array(8 << 20));
  const kept = [];
  for (;;) {
    const large = new Blob([small]).stream().pipeThrough(new DecompressionStream("gzip"));
    kept.push(await new Response(large).arrayBuffer());
  }
};
