/**
 * Who calls, as the bearer key says. An operator sees everything; a project's key sees that project's
 * samples and receipts and nothing of others, not even that they exist.
 */
export type Principal = OperatorPrincipal | ProjectPrincipal;

export interface OperatorPrincipal {
  readonly role: 'operator';
  /** The API key, for logs and for `decided_by`. */
  readonly keyId: string;
}

export interface ProjectPrincipal {
  readonly role: 'project';
  readonly keyId: string;
  readonly projectId: string;
}
