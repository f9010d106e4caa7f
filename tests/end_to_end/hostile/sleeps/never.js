// A promise that nobody resolves.
export default () => new Promise(() => {});
