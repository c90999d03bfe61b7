import type { StatementRow } from '../db/statements.ts';
import { leafOfPosition, logOfPosition } from '../ledger/position.ts';
import { formatStatementBundle } from '../ledger/statement_bundle.ts';
import type { Principal } from './principal.ts';
import { type ReceiptDeps, receiptOf } from './receipts.ts';

/**
 * The evidence of a statement: its document, the deployment's signature and the receipt of its entry, to be
 * checked by `verifyStatement`.
 *
 * @throws {NephoError} `not_found` for another's statement
 */
export async function statementBundleOf(
  deps: ReceiptDeps,
  { document, signature, position }: StatementRow,
  principal: Principal,
): Promise<string> {
  const place = { logId: logOfPosition(position), leaf: leafOfPosition(position) };
  const receipt = await receiptOf(deps, place, {
    principal,
    metadata: null,
  });
  return formatStatementBundle({ document, signature, receipt });
}
