import { describeProducer } from "./producer-suite.ts";
import { python } from "./toolchains.ts";

await describeProducer(python);
