// A loop in a function made from text.
export default () => new Function("for (;;);")();
