import type { JobsFilter } from "../questions/questions.ts";

/** Which jobs an operation is about. */
export interface Which<Filter> {
  /** As an operation takes it. */
  readonly filter: Filter;
  /** `all delayed jobs of mail`. */
  readonly words: string;
}

type Terms = Pick<JobsFilter, "queue" | "name" | "filter">;

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
export function whichDead(of: Terms): Which<{ readonly queue?: string; readonly where: string }> {
  const terms = ["state=dead", ...(of.name === "" ? [] : [named(of)]), bracketed(of)];
  return {
    filter: { ...(of.queue === "" ? {} : { queue: of.queue }), where: terms.join(" ").trim() },
    words: `all dead jobs ${whichWords(of)}`,
  };
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
