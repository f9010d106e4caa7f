// An endless loop behind an await.
export default async () => {
  await null;
  for (;;);
};
