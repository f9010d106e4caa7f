// A loop whose end is another loop: an exception from outside would not stop it.
export default () => {
  try {
    for (;;);
  } finally {
    for (;;);
  }
};
