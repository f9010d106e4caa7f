// Answers with ten thousand headers.
export default () => {
  const headers = new Headers();
  for (let i = 0; i < 10000; i++) headers.append("set-cookie", `c${i}=1`);
  return new Response("x", { headers });
};
