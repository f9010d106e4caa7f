// Stands in for @codemirror/autocomplete, which the languages import: the dashboard's editor completes nothing.
const nothing = () => null;

export const completeFromList = () => nothing;
export const ifNotIn = () => nothing;
export const snippetCompletion = (template, completion) => completion;
