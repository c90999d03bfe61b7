import type { Pool } from 'pg';

/**
 * The same pool, whose statements are counted over all connections: `strike` is told the number of each, from
 * 1, before it is sent, and may throw instead.
 */
export function beforeStatement(pool: Pool, strike: (number: number) => void): Pool {
  let sent = 0;
  const watched = <Target extends object>(target: Target): Target =>
    new Proxy(target, {
      get(object, name) {
        const value: unknown = Reflect.get(object, name);
        if (typeof value !== 'function') return value;
        const call = value.bind(object) as (...args: unknown[]) => unknown;
        if (name === 'connect') return async () => watched(await call() as object);
        if (name !== 'query') return call;
        return async (...args: unknown[]) => {
          strike(sent += 1);
          return await call(...args);
        };
      },
    });
  return watched(pool);
}
