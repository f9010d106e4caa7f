// Makes a new version with each write.
export default async (request, { fazt }) => {
  for (let i = 0; i < 100; i++) await fazt.files.write("counter.txt", `${i}`);
  return Response.json({ reached: [] });
};
