// One text made five hundred million texts.
export default () => new Response(String("x".repeat(5e8).split("").length));
