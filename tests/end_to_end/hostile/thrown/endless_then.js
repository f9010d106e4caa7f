// Returns a promise-like object that never calls back.
export default () => ({ then() {} });
