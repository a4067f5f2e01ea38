import type { ChainLink, Envelope, Outcome } from "@millrace/core";

// How a job is settled that may not run, and what its dead letter says to do.

export function unknownName({ name, queue }: Envelope): Outcome {
  return rejected(
    "unknown-name",
    `No handler called ${name} serves queue ${queue} on the node that got the job. Every node of a queue needs all of its handlers: deploy it there, then retry the dead letter. Or enqueue the job on the queue of its definition, or give the definition a queue of its own.`,
  );
}

/** It names a queue that its writer can't reach. */
export function notAllowed({ sentFrom }: Envelope, link: ChainLink): Outcome {
  return rejected(
    "next-not-allowed",
    `Producers of ${sentFrom} may not have jobs follow in ${link.queue} (${link.name}), so the job was not run. Allow it with: millrace queues set ${sentFrom} --sends-to ${link.queue}; or have a trusted program enqueue the chain. Then retry the dead letter.`,
  );
}

/** For its later start its queue has no room. */
export function parkedFull(queue: string, most: number): Outcome {
  return rejected(
    "parked-full",
    `The queue ${queue} may have ${most} delayed jobs of its producers, and has them, so this one was not delayed. Raise it: millrace queues set ${queue} --max-parked <n>; or wait until some have started. Then retry the dead letter.`,
  );
}

function rejected(
  reason: "unknown-name" | "next-not-allowed" | "parked-full",
  message: string,
): Outcome {
  return { kind: "rejected", reason, error: { type: reason, message } };
}
