import { RECORDED_STATES } from "../../client/jobs/jobs.ts";
import { LIVE_STATES } from "../../client/jobs/live-jobs.ts";
import { type FieldKind, text } from "../../config/field-kinds.ts";

const OF_ALL = ["name", "queue", "id", "age", "at", "attempts", "node", "payload"];
const OF_FAILED = ["error", "message", "reason", "fingerprint"];
const OF_LIVE = ["tag", "lane", "gate"];
const OF_CAUSES = ["name", "queue", "error", "message", "fingerprint", "node", "age", "at"];

/** `--filter` of jobs in any state: each command says of which of them it knows what. */
export const jobTerms = terms(
  [...OF_ALL, ...OF_LIVE, ...OF_FAILED, "took"],
  [...LIVE_STATES, ...RECORDED_STATES],
);

/** `--filter` of jobs that have not ended. */
export const liveTerms = terms([...OF_ALL, ...OF_LIVE], LIVE_STATES);

/** `--filter` of dead letters. */
export const deadTerms = terms([...OF_ALL, ...OF_FAILED]);

/** `--filter` of causes, or of dead letters that have one: the fields that both have. */
export const causeTerms = terms(OF_CAUSES);

/**
 * @param fields what a term can ask for, as `docs/filters.md` lists it
 * @param states what the field `state` can be, where there is one
 */
function terms(fields: readonly string[], states: readonly string[] = []): FieldKind<string> {
  const named = states.length === 0 ? fields : ["state", ...fields];
  return {
    ...text,
    placeholder: "<terms>",
    begins: [...named.map((field) => `${field}:`), ...states.map((state) => `state:${state}`)],
  };
}
