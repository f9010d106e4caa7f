// Writes numbers of many digits, over and over.
export default () => {
  let length = 0;
  for (;;) length += (3n ** 1000000n).toString().length;
};
