import type { ChainLink, Envelope, Outcome } from "@millrace/core";

/** How a job is settled that names a queue which its writer can't reach. */
export function notAllowed({ sentFrom }: Envelope, link: ChainLink): Outcome {
  return {
    kind: "rejected",
    reason: "next-not-allowed",
    error: {
      type: "next-not-allowed",
      message: `Producers of ${sentFrom} may not have jobs follow in ${link.queue} (${link.name}), so the job was not run. Allow it with: millrace queues set ${sentFrom} --sends-to ${link.queue}; or have a trusted program enqueue the chain. Then retry the dead letter.`,
    },
  };
}

/** The job without those that were to follow it. */
export function withoutNext(envelope: Envelope): Envelope {
  const { next: _next, ...rest } = envelope;
  return rest;
}
