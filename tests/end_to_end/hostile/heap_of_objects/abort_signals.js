// Signals that follow each other.
export default () => {
  let signal = new AbortController().signal;
  for (;;) signal = AbortSignal.any([signal, new AbortController().signal]);
};
