// Compiles new code without end.
export default () => {
  for (let i = 0; ; i++) new Function(`return ${i}${" + (() => 1)()".repeat(100)}`)();
};
