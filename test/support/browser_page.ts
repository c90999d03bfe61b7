/**
 * Runs in a browser, served by browser_site.ts: the verifiers as they are in ledger/, their types
 * stripped and nothing else. Verifies what the task holds, shows the verdicts and sends them back.
 */
import { fetchLog } from '../../ledger/fetch_log.ts';
import { nodeCrypto } from '../../ledger/platform.ts';
import { verifyLog } from '../../ledger/verify_log.ts';
import { verifyReceipt } from '../../ledger/verify_receipt.ts';

export interface BrowserTask {
  vkeys: string[];
  receipts: string[];
  /** Paths on the site, of logs that may be fetched in whole. */
  logs: { path: string; vkeys: string[] }[];
}

export interface BrowserVerdicts {
  userAgent: string;
  /** Whether anything of Node was found, which must not be in a browser. */
  native: boolean;
  receipts: { ok: boolean; step?: string }[];
  logs: { ok: boolean; step?: string; size?: number }[];
  /** What went wrong instead of an answer. */
  error: string | null;
}

async function verdictsOn(task: BrowserTask): Promise<BrowserVerdicts> {
  const verdicts: BrowserVerdicts = {
    userAgent: navigator.userAgent,
    native: nodeCrypto !== null || 'process' in globalThis,
    receipts: [],
    logs: [],
    error: null,
  };
  try {
    for (const receipt of task.receipts) {
      const { ok, ...rest } = await verifyReceipt(receipt, { vkeys: task.vkeys });
      verdicts.receipts.push(ok ? { ok } : { ok, step: 'step' in rest ? rest.step : '' });
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

const task: BrowserTask = await (await fetch('/task')).json();
const text = JSON.stringify(await verdictsOn(task));
const shown = document.querySelector('pre');
if (shown !== null) shown.textContent = text;
// What the page shows, read from it again, and not what was meant to be shown.
await fetch('/verdicts', { method: 'POST', body: shown?.textContent ?? '' });

// The parts of a browser's globals that are used here; the project's types are those of Node.
declare const document: { querySelector(selector: string): { textContent: string | null } | null };
declare const location: { origin: string };
