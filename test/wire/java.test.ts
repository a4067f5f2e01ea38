import { describeProducer } from "./producer-suite.ts";
import { java } from "./toolchains.ts";

await describeProducer(java);
