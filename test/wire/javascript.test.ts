import { describeProducer } from "./producer-suite.ts";
import { javascript } from "./toolchains.ts";

await describeProducer(javascript);
