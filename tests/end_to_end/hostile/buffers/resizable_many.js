// Reservations of address space without end.
export default () => {
  const kept = [];
  for (;;) kept.push(new ArrayBuffer(0, { maxByteLength: 2 ** 33 }));
};
