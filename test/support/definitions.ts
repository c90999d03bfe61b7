import assert from 'node:assert/strict';
import { compileDefinitions, type DefinitionSet } from '../../meters/definition_compile.ts';
import type { Notification } from '../../meters/notification.ts';

/** An entry of `metric:` for event type `x.end`, six lines of YAML, some of its keys replaced. */
export function definition(keys: Readonly<Record<string, string>>): string {
  const all: Record<string, string> = {
    name: 'x.size',
    event_type: 'x\\.end$',
    type: 'gauge',
    unit: 'B',
    volume: '$.payload.size',
    resource_id: '$.payload.id',
    ...keys,
  };
  const lines = Object.entries(all).map(([key, value]) => `${key}: ${value}`);
  return `  - ${lines.join('\n    ')}\n`;
}

export function setOf(...definitions: string[]): DefinitionSet {
  const text = `metric:\n${definitions.join('')}`;
  const compiled = compileDefinitions([{ name: 'test.yaml', text }]);
  assert.ok(compiled.ok, compiled.ok ? '' : JSON.stringify(compiled.faults));
  return compiled.set;
}

export function notificationOf(parts: Partial<Notification>): Notification {
  return {
    messageId: 'm-1',
    cloudEvent: null,
    eventType: 'x.end',
    publisherId: 'service.host',
    priority: 'INFO',
    timestamp: '2026-03-01 12:00:00.5',
    payload: { id: 'r-1', size: 5 },
    context: { user_id: 'u-1', project_id: 'p-1' },
    ...parts,
  };
}
