// A loop in a text that is evaluated.
export default () => (0, eval)("for (;;);");
