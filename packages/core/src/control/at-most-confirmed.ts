/**
 * How many things may be changed for somebody who has confirmed a number. Things come and go while
 * it is read: a tenth more may fit by then.
 */
export function atMostConfirmed(counted: number): number {
  return counted + Math.ceil(counted / 10);
}
