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
  type RefusedLog,
  type RefusedReceipt,
  type VerifiedLog,
  type VerifiedReceipt,
  verifyLog,
  type VerifyLogOptions,
  verifyReceipt,
  type VerifyReceiptOptions,
} from './verify.ts';
