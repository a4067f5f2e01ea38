/**
 * The same, such as a broker or one of its stores, with some members of one's own. The rest needs
 * the original as `this`: it may have private fields.
 */
export function withOwn<Of extends object>(original: Of, own: Partial<Of>): Of {
  return new Proxy(original, {
    get(target, key) {
      if (Object.hasOwn(own, key)) return Reflect.get(own, key) as unknown;
      const value: unknown = Reflect.get(target, key);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}
