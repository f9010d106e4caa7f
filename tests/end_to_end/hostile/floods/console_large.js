// Writes lines of a megabyte.
export default () => {
  const line = "x".repeat(1000000);
  for (let i = 0; i < 100000; i++) console.log(line);
  return Response.json({ reached: [] });
};
