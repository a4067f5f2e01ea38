import { describeProducer } from "./producer-suite.ts";
import { go } from "./toolchains.ts";

await describeProducer(go);
