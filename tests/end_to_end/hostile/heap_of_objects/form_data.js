// A form without end.
export default () => {
  const form = new FormData();
  for (let i = 0; ; i++) form.append(`field${i}`, new Blob(["x".repeat(10000)]), "file");
};
