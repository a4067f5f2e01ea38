// First: what the runtime's modules find as they are loaded.
import "./in-browser.mjs";

export { simulate } from "./simulate.ts";
