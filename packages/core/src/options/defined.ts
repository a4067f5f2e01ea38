type WhereThere<T> = {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};
type Always<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] };

/**
 * The fields that have a value, to be spread into an object whose optional fields are absent where
 * there is none. Not for what is done for every job: it costs an object.
 *
 * @example
 * return { name, ...defined({ queue, limit: query.limit }) };
 */
export function defined<T extends object>(fields: T): WhereThere<T> & Always<T> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as WhereThere<T> & Always<T>;
}
