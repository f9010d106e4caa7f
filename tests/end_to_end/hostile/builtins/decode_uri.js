// Built-ins over long texts, over and over.
export default () => {
  const text = "%F0%9F%98%80".repeat(100000);
  let length = 0;
  for (;;) length += encodeURIComponent(decodeURIComponent(text)).normalize("NFKD").length;
};
