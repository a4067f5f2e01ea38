// The machine of machines-file.ts without one of its states.
import { defineMachine } from "millrace";
import { setup } from "xstate";

const chart = setup({}).createMachine({ initial: "greeting", states: { greeting: {} } });

export const door = defineMachine({ name: "door", machine: chart });
