// Blobs made of blobs.
export default async () => {
  let blob = new Blob([new Uint8Array(1 << 20)]);
  for (let i = 0; i < 40; i++) blob = new Blob([blob, blob]);
  return new Response(await blob.arrayBuffer());
};
