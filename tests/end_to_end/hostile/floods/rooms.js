// Says things in rooms without end, and in rooms without end.
export default async (request, { fazt }) => {
  for (let i = 0; i < 2000; i++) {
    fazt.rooms.get(`room-${i}`).broadcast("x".repeat(10000)).catch(() => {});
    if (i % 100 === 0) await fazt.rooms.get("one").broadcast({ i }).catch(() => {});
  }
  return Response.json({ reached: [] });
};
