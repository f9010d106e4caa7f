// Has the JSON of an answer loop.
export default () => Response.json({ toJSON() { for (;;); } });
