// Exports an object whose handler loops when somebody looks for it.
export default { get fetch() { for (;;); } };
