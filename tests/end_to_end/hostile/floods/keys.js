// Has the server make two hundred RSA keys that nobody waits for.
export default async () => {
  const how = { name: "RSA-PSS", hash: "SHA-256", modulusLength: 4096, publicExponent: new Uint8Array([1, 0, 1]) };
  for (let i = 0; i < 200; i++) crypto.subtle.generateKey(how, false, ["sign"]).catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 200));
  return Response.json({ reached: [] });
};
