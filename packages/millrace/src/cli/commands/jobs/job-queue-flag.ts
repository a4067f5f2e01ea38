import { text } from "../../../config/field-kinds.ts";

/** Of commands that are about one job. */
export const jobQueueFlag = {
  kind: { ...text, placeholder: "<queue>" },
  about: "The job's queue; saves looking for it in all of them",
} as const;
