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
        expect(new Set(slots.inOrder(() => true))).toEqual(new Set(model.values()));
      }
    }),
  );
});

test("what passes is given in the order in which it was put, whichever slots were free", () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 9 })), (plan) => {
      const slots = new Slots<{ token: number; nth: number }>(5);
      const put: { token: number; nth: number }[] = [];
      for (const [nth, step] of plan.entries()) {
        const victim = put[step % Math.max(1, put.length)];
        if (!slots.full && step < 6) {
          put.push({ token: 0, nth });
          slots.put(put.at(-1) as (typeof put)[number]);
        } else if (victim !== undefined) {
          slots.remove(victim);
          put.splice(put.indexOf(victim), 1);
        }
        expect(slots.inOrder(() => true)).toEqual(put);
        expect(slots.inOrder((thing) => thing.nth % 2 === 0)).toEqual(
          put.filter((thing) => thing.nth % 2 === 0),
        );
      }
    }),
  );
});
