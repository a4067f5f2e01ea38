import { reminderWith } from "./reminder.ts";

/** In place of a real mailer: it says what it sends. */
export const jobs = reminderWith({
  send: async (to) => {
    console.log(`a reminder to ${to}`);
    return "sent";
  },
});
