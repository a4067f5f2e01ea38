// `node --import` of every program that a test in cluster mode starts.
import { existsSync } from "node:fs";
import { registerHooks } from "node:module";

const STAND_IN = new URL("replicated-broker.ts", import.meta.url);

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === "@millrace/broker-nats"
      ? { url: standInFor(context.parentURL).href, shortCircuit: true }
      : next(specifier, context),
});

/** An older version's code lies in a folder of its own, with a stand-in for its own package. */
function standInFor(importer = ""): URL {
  const [, folder] = /^(file:.*?)\/(?:packages|test)\//.exec(importer) ?? [];
  if (folder === undefined) return STAND_IN;
  const beside = new URL(`${folder}/test/harness/cluster/replicated-broker.ts`);
  return existsSync(beside) ? beside : STAND_IN;
}
