import { countStock, ship } from "./jobs.ts";

/** Another node runs this file: `millrace run warehouse.ts`. */
export const shipping = ship.handler(
  ({ input: { order, item } }) => `${item} of ${order} is on its way`,
);

export const counting = countStock.handler(() => 42);

export { everyTwoSeconds } from "./jobs.ts";
