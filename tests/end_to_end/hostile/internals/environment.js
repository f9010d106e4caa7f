// Looks for the variables of the server.
export default async (request, { env, fazt }) => {
  const reached = [...Object.keys(env), ...(await fazt.env.list()), ...(await fazt.secrets.list())];
  for (const name of ["PATH", "HOME", "FAZT_DB", "FAZT_HOSTILE_SECRET", "__proto__", "constructor", "toString"]) {
    if ((await fazt.env.get(name)) !== null || (await fazt.secrets.get(name)) !== null) reached.push(name);
    if (Object.hasOwn(env, name)) reached.push(name);
  }
  return Response.json({ reached });
};
