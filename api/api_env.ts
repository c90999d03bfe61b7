import type { Principal } from './principal.ts';

/** What Hono's handlers of this API find in their context. */
export interface ApiEnv {
  Bindings: Partial<NodeBindings>;
  Variables: {
    requestId: string;
    principal: Principal | null;
    /** Why the key that was sent was refused; null if it is good or there is none. */
    denied: unknown;
  };
}

/** What @hono/node-server hands over beside the request, on Node and on Deno. */
interface NodeBindings {
  incoming: { socket?: { remoteAddress?: string | undefined } };
}
