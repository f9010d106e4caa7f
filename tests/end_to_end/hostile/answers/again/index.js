// Is called by its middleware a hundred times.
export default () => Response.json({ reached: [] });
