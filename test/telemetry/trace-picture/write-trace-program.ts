// Draws the trace of one order for README.md and docs/tracing.md: docs/trace.svg.
import { writeFileSync } from "node:fs";
import { drawTrace } from "./draw-trace.ts";
import { recordTrace } from "./record-trace.ts";

const file = new URL("../../../docs/trace.svg", import.meta.url);
writeFileSync(file, drawTrace(await recordTrace()));
