/**
 * Lets an abort signal look before it answers: reading `aborted` or `reason` calls `look` first,
 * which may abort it. A timer alone would come too late in a process that was frozen, because other
 * work is due there as well and may run before it.
 */
export function clockedSignal(signal: AbortSignal, look: () => void): AbortSignal {
  const read = <Name extends "aborted" | "reason">(name: Name): AbortSignal[Name] => {
    look();
    return Reflect.get<AbortSignal, Name>(AbortSignal.prototype, name, signal);
  };
  return Object.defineProperties(signal, {
    aborted: { get: () => read("aborted") },
    reason: { get: () => read("reason") },
    throwIfAborted: {
      value: () => {
        if (read("aborted")) throw read("reason");
      },
    },
  });
}
