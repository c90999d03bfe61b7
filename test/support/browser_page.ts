/**
 * Runs in a browser, served by browser_site.ts: the verifiers as they are in ledger/, their types
 * stripped and nothing else. Verifies what the task holds, shows the verdicts and sends them back.
 */
import { fetchLog } from '../../ledger/fetch_log.ts';
import { nodeCrypto } from '../../ledger/platform.ts';
import { verifyLog } from '../../ledger/verify_log.ts';
import { verifyReceipt } from '../../ledger/verify_receipt.ts';
import { verifyStatement } from '../../ledger/verify_statement.ts';
import { verifyWindow } from '../../ledger/verify_window.ts';

export interface BrowserTask {
  vkeys: string[];
  receipts: string[];
  windows: string[];
  statements: string[];
  /** Paths on the site, of logs that may be fetched in whole. */
  logs: { path: string; vkeys: string[] }[];
}

export interface BrowserVerdicts {
  userAgent: string;
  /** Whether anything of Node was found, which must not be in a browser. */
  native: boolean;
  receipts: { ok: boolean; step?: string }[];
  windows: { ok: boolean; step?: string }[];
  statements: { ok: boolean; step?: string }[];
  logs: { ok: boolean; step?: string; size?: number }[];
  /** What went wrong instead of an answer. */
  error: string | null;
}

async function verdictsOn(task: BrowserTask): Promise<BrowserVerdicts> {
  const verdicts: BrowserVerdicts = {
    userAgent: navigator.userAgent,
    native: nodeCrypto !== null || 'process' in globalThis,
    receipts: [],
    windows: [],
    statements: [],
    logs: [],
    error: null,
  };
  try {
    const { vkeys } = task;
    for (const receipt of task.receipts) {
      verdicts.receipts.push(shortened(await verifyReceipt(receipt, { vkeys })));
    }
    for (const window of task.windows) {
      verdicts.windows.push(shortened(await verifyWindow(window, { vkeys })));
    }
    for (const statement of task.statements) {
      verdicts.statements.push(shortened(await verifyStatement(statement, { vkeys })));
    }
    for (const { path, vkeys } of task.logs) {
      const result = await verifyLog(fetchLog(`${location.origin}${path}`), { vkeys });
      verdicts.logs.push(
        result.ok ? { ok: true, size: result.size } : { ok: false, step: result.step },
      );
    }
  } catch (error) {
    verdicts.error = String(error);
  }
  return verdicts;
}

function shortened(verdict: { ok: true } | { ok: false; step: string }) {
  return verdict.ok ? { ok: true } : { ok: false, step: verdict.step };
}

const task: BrowserTask = await (await fetch('/task')).json();
const text = JSON.stringify(await verdictsOn(task));
const shown = document.querySelector('pre');
if (shown !== null) shown.textContent = text;
// What the page shows, read from it again, and not what was meant to be shown.
await fetch('/verdicts', { method: 'POST', body: shown?.textContent ?? '' });

// The parts of a browser's globals that are used here; the project's types are those of Node.
declare const document: { querySelector(selector: string): { textContent: string | null } | null };
declare const location: { origin: string };
