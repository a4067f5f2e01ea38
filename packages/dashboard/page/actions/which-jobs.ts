import type { JobsFilter } from "../questions/questions.ts";

/** Which jobs an operation is about. */
export interface Which<Filter> {
  /** As an operation takes it. */
  readonly filter: Filter;
  /** `all delayed jobs of mail`. */
  readonly words: string;
}

type Terms = Pick<JobsFilter, "queue" | "name" | "filter">;
type Ended = Terms & Pick<JobsFilter, "state">;

export function whichLive(of: JobsFilter): Which<{
  readonly state: string;
  readonly queue: string;
  readonly where: string;
}> {
  const { state, queue } = of;
  const where = of.name === "" ? of.filter : [named(of), bracketed(of)].join(" ").trim();
  return { filter: { state, queue, where }, words: `all ${state} jobs ${whichWords(of)}` };
}

/** Their dead letters, which say of themselves that they are dead. */
export function whichDead(of: Ended): Which<{ readonly queue?: string; readonly where: string }> {
  const terms = [
    of.state === "expired" ? "state=dead reason=expired" : "state=dead",
    ...(of.name === "" ? [] : [named(of)]),
    bracketed(of),
  ];
  return {
    filter: { ...(of.queue === "" ? {} : { queue: of.queue }), where: terms.join(" ").trim() },
    words: `all ${deadWord(of)} jobs ${whichWords(of)}`,
  };
}

/** An expired job is a dead letter, too, and is told apart where only such are listed. */
export function deadWord({ state }: Pick<JobsFilter, "state">): string {
  return state === "expired" ? "expired" : "dead";
}

function named({ name }: Terms): string {
  return `name~"${name.replaceAll(/["\\]/g, "\\$&")}"`;
}

/** Because the terms may hold an OR. */
function bracketed({ filter }: Terms): string {
  return filter.trim() === "" ? "" : `(${filter})`;
}

function whichWords({ queue, name, filter }: Terms): string {
  const which = [
    ...(name === "" ? [] : [` whose name holds ${name}`]),
    ...(filter === "" ? [] : [` that fit ${filter}`]),
  ].join(" and");
  return `${queue === "" ? "of all queues" : `of ${queue}`}${which}`;
}
