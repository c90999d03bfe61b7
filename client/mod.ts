/** The package entry `nepho/client`: a typed client of the API, and the offline verifier. */
export {
  type ClientOptions,
  createClient,
  type NephoClient,
  type NephoInputs,
  type NephoOutputs,
} from './client.ts';
export { explainCallError } from './errors.ts';
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
