/**
 * What an auditor or a billing system needs to check nepho's evidence without nepho: neither its
 * database nor, for receipts, its API, and no `node:` import. Runs on Node, Deno and in a browser.
 *
 * @module
 */
export {
  type ReceiptStep,
  type RefusedReceipt,
  type VerifiedReceipt,
  verifyReceipt,
  type VerifyReceiptOptions,
} from '../ledger/verify_receipt.ts';
export {
  type LogStep,
  type RefusedLog,
  type VerifiedLog,
  verifyLog,
  type VerifyLogOptions,
} from '../ledger/verify_log.ts';
export { fetchLog, type FetchLogOptions } from '../ledger/fetch_log.ts';
