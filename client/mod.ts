/**
 * The package entry `nepho/client`: what a billing system needs, a typed client of the whole API, and the
 * offline verifiers.
 */
export { type BillingClient, createBillingClient, type StatementName } from './billing.ts';
export {
  type ClientOptions,
  createClient,
  type NephoClient,
  type NephoInputs,
  type NephoOutputs,
} from './client.ts';
export { explainCallError } from './errors.ts';
export type { Followed, FollowOptions } from './follow.ts';
export {
  fetchLog,
  type FetchLogOptions,
  type LineRecords,
  type RefusedLog,
  type RefusedReceipt,
  type RefusedStatement,
  type RefusedWindow,
  type StatementDocument,
  type StatementLine,
  type VerifiedLog,
  type VerifiedReceipt,
  type VerifiedStatement,
  type VerifiedWindow,
  verifyLog,
  type VerifyLogOptions,
  verifyReceipt,
  type VerifyReceiptOptions,
  verifyStatement,
  type VerifyStatementOptions,
  verifyWindow,
  type WindowRecord,
} from './verify.ts';
export { verifyWebhook, type WebhookVerdict } from '../ledger/webhook_signature.ts';
