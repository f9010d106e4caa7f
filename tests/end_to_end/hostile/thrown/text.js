// Returns a text.
export default () => "text";
