// Preact with its hooks, and `html`: JSX without a build step.
import htm from "htm";
import { h } from "preact";

export { Component, createContext, createRef, Fragment, h, render } from "preact";
export * from "preact/hooks";
export const html = htm.bind(h);
