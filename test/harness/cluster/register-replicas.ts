// `node --import` of every program that a test in cluster mode starts.
import { registerHooks } from "node:module";

const STAND_IN = new URL("replicated-broker.ts", import.meta.url).href;

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === "@millrace/broker-nats"
      ? { url: STAND_IN, shortCircuit: true }
      : next(specifier, context),
});
