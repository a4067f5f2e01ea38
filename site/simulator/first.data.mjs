// Runs when the site is built: what the page shows before, and without, a script.
import { FIRST } from "./settings.ts";
import { simulate } from "./simulate.ts";

export default { load: () => simulate(FIRST) };
