// A text that doubles until it does not fit.
export default () => {
  let text = "x";
  for (;;) text += text;
};
