// Draws the stream that the playground shows first, for readers of the repository: docs/stream.svg.
import { writeFileSync } from "node:fs";
import { standalone } from "./draw.ts";
import { FIRST } from "./settings.ts";
import { simulate } from "./simulate.ts";

const file = new URL("../../docs/stream.svg", import.meta.url);
writeFileSync(file, standalone(await simulate(FIRST)));
