// Formatters, which are slow to make, without end.
export default () => {
  for (let i = 0; ; i++) new Intl.DateTimeFormat(["en", "de", "ja", "ar"][i % 4], { dateStyle: "full" }).format(i);
};
