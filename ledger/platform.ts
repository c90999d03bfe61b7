import type * as NodeCrypto from 'node:crypto';

/**
 * The runtime's own `node:crypto`, or null in a browser.
 *
 * Asked for at run time and not imported, so that the files of the verifier form one import graph
 * that a browser loads unchanged, while Node and Deno use their native code: `getBuiltinModule`
 * exists from Node 20.16, and needs no permission in Deno.
 */
export const nodeCrypto: typeof NodeCrypto | null = findNodeCrypto();

/** True on Deno, whose `node:crypto` has other fast paths than Node's. */
export const isDeno: boolean = 'Deno' in globalThis;

function findNodeCrypto(): typeof NodeCrypto | null {
  const found: unknown = Reflect.get(globalThis, 'process')?.getBuiltinModule?.('node:crypto');
  return isNodeCrypto(found) ? found : null;
}

function isNodeCrypto(value: unknown): value is typeof NodeCrypto {
  return typeof value === 'object' && value !== null && 'createHash' in value;
}
