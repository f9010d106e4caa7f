// Returns the Response that stands for a failed fetch.
export default () => Response.error();
