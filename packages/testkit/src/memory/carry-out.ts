import type { EncodeRules, Envelope, QueueMessage, SettlementStep } from "@millrace/core";
import { buriedIdOf } from "./stores/memory-dead-letters.ts";
import type { MemoryServer } from "./memory-server.ts";
import { FOLLOWING_RULES, requeueOf } from "./publication.ts";

/** Does what a step of a settlement says, but for the ack. */
export function carryOut(
  server: MemoryServer,
  step: Exclude<SettlementStep, { readonly do: "ack" }>,
  message: QueueMessage,
  maxMessageBytes: number,
): void {
  switch (step.do) {
    case "requeue":
      return void requeue(server, step.envelope, maxMessageBytes);
    case "enqueue":
      return void requeue(server, step.envelope, maxMessageBytes, FOLLOWING_RULES);
    case "block":
      return server.blocked.add({
        queue: step.envelope.queue,
        gate: step.gate,
        storedAt: server.clock.now(),
        publication: requeueOf(step.envelope, maxMessageBytes),
      });
    case "bury": {
      // Once, however often it is repeated: a server forgets after a while that it has it.
      const id = buriedIdOf(message, step);
      if (server.deadLetters.of(id) === undefined) server.deadLetters.add(step.letter, id);
      return;
    }
    case "record":
      return void server.history.add(step.record);
  }
}

/** Publishes it for its time, or for now. */
export function requeue(
  server: MemoryServer,
  envelope: Envelope,
  maxMessageBytes: number,
  rules?: EncodeRules,
): { readonly duplicate: boolean } {
  const publication = requeueOf(envelope, maxMessageBytes, rules);
  const { notBefore } = envelope;
  const storedAt = server.clock.now();
  const queue = server.queue(envelope.queue);
  if (notBefore === undefined || notBefore <= storedAt) return queue.publish(publication);
  server.delayed.add({ queue: queue.name, notBefore, storedAt, publication });
  return { duplicate: false };
}
