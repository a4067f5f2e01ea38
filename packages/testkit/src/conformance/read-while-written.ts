/** How often the same is read: one reading may meet no write. */
const READINGS = 3;

/**
 * Reads again and again while writers write, each one write after the other, until the readings are
 * over.
 *
 * @param write given how many writes this writer has made before
 * @param read throws where what it has read is wrong
 */
export async function readWhileWritten(
  writers: number,
  write: (n: number) => Promise<unknown>,
  read: () => Promise<void>,
): Promise<void> {
  let over = false;
  const reading = async (): Promise<void> => {
    try {
      for (let n = 0; n < READINGS; n += 1) await read();
    } finally {
      over = true;
    }
  };
  const writing = async (): Promise<void> => {
    for (let n = 0; !over; n += 1) await write(n);
  };
  await Promise.all([reading(), ...Array.from({ length: writers }, writing)]);
}
