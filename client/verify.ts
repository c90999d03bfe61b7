/**
 * What an auditor or a billing system needs to check nepho's evidence without nepho: not its database,
 * its API for whole logs alone, and no `node:` import. Runs on Node, Deno and in a browser.
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
export {
  type RefusedWindow,
  type VerifiedWindow,
  verifyWindow,
  type WindowStep,
} from '../ledger/verify_window.ts';
export {
  type RefusedStatement,
  type StatementStep,
  type VerifiedStatement,
  verifyStatement,
  type VerifyStatementOptions,
} from '../ledger/verify_statement.ts';
export type { LineRecords } from '../ledger/line_windows.ts';
export type { StatementDocument, StatementLine } from '../ledger/statement_document.ts';
export type { WindowRecord } from '../ledger/window_record.ts';
export { fetchLog, type FetchLogOptions } from '../ledger/fetch_log.ts';
