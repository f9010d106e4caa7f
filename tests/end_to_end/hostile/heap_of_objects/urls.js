// URLs with ever more in them.
export default () => {
  const url = new URL("http://a.example/");
  for (let i = 0; ; i++) url.searchParams.append(`key${i}`, "x".repeat(1000));
};
