import { fileURLToPath } from "node:url";
import type { Attributes } from "@opentelemetry/api";
import type { AnyJob } from "@millrace/core";
import { ATTR } from "./attributes.ts";

const known = new WeakMap<AnyJob, Attributes>();

/** Which code runs: the same for every attempt, so it is found out once. */
export function handlerAttributes(job: AnyJob): Attributes {
  let attributes = known.get(job);
  if (attributes === undefined) {
    attributes = {};
    const { name } = job.handle;
    if (name !== "") attributes[ATTR.functionName] = name;
    if (job.module?.startsWith("file:") === true)
      attributes[ATTR.filePath] = fileURLToPath(job.module);
    known.set(job, attributes);
  }
  return attributes;
}
