/** How many of a list are told. Where there may be more, the page says so. */
export const MOST_CHANGES = 200;
export const MOST_OPERATIONS = 100;
export const MOST_LETTERS = 100;
export const MOST_GATES_OF_QUEUE = 20;
export const MOST_GATES = 100;
