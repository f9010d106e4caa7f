// Has the server derive two hundred keys that nobody waits for.
export default async () => {
  const key = await crypto.subtle.importKey("raw", new Uint8Array(16), "PBKDF2", false, ["deriveBits"]);
  const how = { name: "PBKDF2", hash: "SHA-512", salt: new Uint8Array(16), iterations: 1000000 };
  for (let i = 0; i < 200; i++) crypto.subtle.deriveBits(how, key, 512).catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 200));
  return Response.json({ reached: [] });
};
