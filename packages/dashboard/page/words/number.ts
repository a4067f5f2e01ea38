const COUNT = new Intl.NumberFormat();

export function count(value: number): string {
  return COUNT.format(value);
}

/** `182 MiB`. */
export function mebibytes(bytes: number): string {
  return `${count(Math.round(bytes / 2 ** 20))} MiB`;
}

/** `1 letter`, `2,000 letters`. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}
