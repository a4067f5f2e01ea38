import { defineJob, type Millrace } from "millrace";

export type Answer = "approved" | "refused" | "too late";

/** Your database. `decide` writes the first answer only, and tells which one stands. */
export interface Requests {
  decide(id: string, answer: Answer): Promise<Answer>;
}

export const publish = defineJob<{ id: string }>({ name: "article.publish", queue: "articles" });
export const deadline = defineJob<{ id: string }>({ name: "article.deadline", queue: "articles" });

/** Somebody has a day to answer. */
export async function askForApproval(millrace: Millrace, id: string): Promise<void> {
  await millrace.enqueue(deadline, { id }, { id: `deadline-${id}`, delay: "1d" });
}

/** Called by the page with the two buttons, perhaps twice. */
export async function answer(
  millrace: Millrace,
  requests: Requests,
  id: string,
  said: "approved" | "refused",
): Promise<Answer> {
  const stands = await requests.decide(id, said);
  if (stands === "approved") await millrace.enqueue(publish, { id }, { id: `publish-${id}` });
  return stands;
}

/** After a day: the first answer stands, whatever this job says. */
export const deadlineWith = (requests: Requests) =>
  deadline.handler(({ input }) => requests.decide(input.id, "too late"));
