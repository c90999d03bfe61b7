/**
 * Whose data a reader may see: one project's, or all of them (an operator). Every function that gives
 * tenants' data takes it as an argument of its own and puts it into the SQL, so that no caller can
 * forget it. What another project owns is answered like what does not exist.
 */
export type Scope = { readonly projectId: string } | 'all';
