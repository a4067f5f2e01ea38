import { type Broker, isInvoked, MACHINES_BUCKET, type Stoppable, withOwn } from "@millrace/core";

/** A broker whose holder stands still once it has written a machine that is to invoke a job. */
export function standingStill(broker: Broker) {
  const [written, thawed, passed] = [0, 1, 2].map(() => Promise.withResolvers<void>());
  const enqueued: string[] = [];
  let place: Stoppable | undefined;
  const isThatWrite = (value: unknown): boolean =>
    JSON.stringify((value as { readonly pending?: unknown }).pending ?? []).includes('"enqueue"');
  const decorated = withOwn(broker, {
    documents: async (bucket, options) => {
      const documents = await broker.documents(bucket, options);
      if (bucket !== MACHINES_BUCKET) return documents;
      return new Proxy(documents, {
        get(target, property) {
          if (property === "put")
            return async (...[key, value, expected]: Parameters<typeof documents.put>) => {
              const revision = await target.put(key, value, expected);
              if (isThatWrite(value)) {
                // It asks for nothing more, as a frozen one does.
                void place?.stop();
                written?.resolve();
                await thawed?.promise;
              }
              return revision;
            };
          const own: unknown = Reflect.get(target, property, target);
          return typeof own === "function" ? (own.bind(target) as unknown) : own;
        },
      });
    },
    enqueue: (jobs, options) => {
      enqueued.push(...jobs.filter(isInvoked).map(({ id }) => id));
      return broker.enqueue(jobs, options);
    },
    inbox: new Proxy(broker.inbox, {
      get(target, property) {
        const own: unknown = Reflect.get(target, property, target);
        if (property === "host")
          return async (...[machine, options]: Parameters<typeof target.host>) =>
            (place = await target.host(machine, {
              ...options,
              take: (message) => options.take(message).finally(() => passed?.resolve()),
            }));
        return typeof own === "function" ? (own.bind(target) as unknown) : own;
      },
    }),
  });
  return {
    decorated,
    enqueued,
    written: written?.promise ?? Promise.resolve(),
    /** Lets it go on, and waits until it is through with the message that it had. */
    goOn: async () => {
      thawed?.resolve();
      await passed?.promise;
    },
  };
}
