// Throws an error of many megabytes.
export default () => {
  throw Object.assign(new Error("m".repeat(1e7)), { stack: "s".repeat(1e7), name: "n".repeat(1e7), code: "c".repeat(1e7) });
};
