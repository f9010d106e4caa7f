// The job of endless_job.js.
export default () => {
  for (;;);
};
