// Exports no handler.
export default 5;
