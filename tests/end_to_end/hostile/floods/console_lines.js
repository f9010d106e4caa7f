// Writes a million lines.
export default () => {
  for (let i = 0; i < 1000000; i++) console.log(`line ${i}`);
  return Response.json({ reached: [] });
};
