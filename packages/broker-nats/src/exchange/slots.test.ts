import fc from "fast-check";
import { expect, test } from "vitest";
import { Slots } from "./slots.ts";

test("holds what a map would hold, whatever is put and removed in whatever order", () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 9 })), (plan) => {
      const slots = new Slots<{ token: number }>(5);
      const model = new Map<number, { token: number }>();
      const everyToken = new Set<number>();
      for (const step of plan) {
        const victim = [...model.values()][step % Math.max(1, model.size)];
        if (step < 6 && !slots.full) {
          const thing = { token: 0 };
          slots.put(thing);
          expect(everyToken.has(thing.token)).toBe(false);
          everyToken.add(thing.token);
          model.set(thing.token, thing);
        } else if (victim !== undefined) {
          slots.remove(victim);
          slots.remove(victim);
          model.delete(victim.token);
        }
        expect(slots.size).toBe(model.size);
        expect(slots.full).toBe(model.size === 5);
        for (const token of everyToken) expect(slots.get(token)).toBe(model.get(token));
        expect(new Set(slots.values())).toEqual(new Set(model.values()));
      }
    }),
  );
});
