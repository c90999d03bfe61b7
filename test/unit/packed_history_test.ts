import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { readClosedHistory } from '../../activities/export_history.ts';
import { packHistory, unpackHistory } from '../../activities/packed_history.ts';
import { isNephoError } from '../../meters/errors.ts';

const FOLDER = new URL('../replay/histories/', import.meta.url);
const names = readdirSync(FOLDER).filter((name) => name.endsWith('.json')).sort();

test('a packed history gives back its text', () => {
  for (const name of names) {
    const text = JSON.stringify(JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8')));
    assert.equal(unpackHistory(packHistory(text)), text);
  }
});

test('no bit of a packed history can be changed without another text or a refusal', () => {
  for (const text of ['{"events":[]}', `{"events":[${'{"eventId":"17"},'.repeat(9)}null]}`]) {
    const packed = packHistory(text);
    for (let bit = 0; bit < 8 * packed.length; bit += 1) {
      const altered = Uint8Array.from(packed);
      altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      try {
        assert.notEqual(unpackHistory(altered), text, `bit ${bit}`);
      } catch (error) {
        if (!isNephoError(error)) throw error;
        assert.equal(error.code, 'history_damaged', `bit ${bit}`);
      }
    }
  }
});

test('a history is canonical before it is hashed, whatever order its keys came in', () => {
  const events = (order: (object: object) => object) => [
    order({
      eventType: 'EVENT_TYPE_WORKFLOW_EXECUTION_STARTED',
      workflowExecutionStartedEventAttributes: { workflowType: { name: 'sealWindows' } },
    }),
    order({ eventType: 'EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED', eventId: '2' }),
  ];
  const reversed = (object: object) => Object.fromEntries(Object.entries(object).reverse());
  const one = readClosedHistory(JSON.stringify({ events: events((object) => object) }));
  const other = readClosedHistory(JSON.stringify({ events: events(reversed) }));
  assert.deepEqual(one, other);
  assert.equal(one.workflowType, 'sealWindows');
});

test('a run that goes on has no history yet', () => {
  const open = {
    events: [{
      eventType: 'EVENT_TYPE_WORKFLOW_EXECUTION_STARTED',
      workflowExecutionStartedEventAttributes: { workflowType: { name: 'sealWindows' } },
    }],
  };
  assert.throws(() => readClosedHistory(JSON.stringify(open)), { code: 'history_open' });
  assert.throws(() => readClosedHistory('{"events":[]}'), { code: 'history_invalid' });
});
