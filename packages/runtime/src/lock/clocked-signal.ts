/**
 * Lets an abort signal look before it answers: reading `aborted` calls `look` first, which may abort it. A timer alone would
 * come too late in a process that was frozen, because other work is due there as well and may run before it.
 */
export function clockedSignal(signal: AbortSignal, look: () => void): AbortSignal {
  const isAborted = (): boolean => {
    look();
    return Reflect.get<AbortSignal, "aborted">(AbortSignal.prototype, "aborted", signal);
  };
  return Object.defineProperties(signal, {
    aborted: { get: isAborted },
    throwIfAborted: {
      value: () => {
        if (isAborted()) throw signal.reason;
      },
    },
  });
}
