import { describeProducer } from "./producer-suite.ts";
import { rust } from "./toolchains.ts";

await describeProducer(rust);
