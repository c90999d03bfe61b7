/**
 * The types that clients are written against. A change of them is a change of the API, so it has to
 * show here: `tsc` fails where one is no longer what it was.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { TRPCClientError } from '@trpc/client';
import { type AppRouter, appRouter } from '../../api/root.ts';
import type { NephoInputs, NephoOutputs } from '../../client/client.ts';
import type { Sample } from '../../meters/sample.ts';
import { QUARANTINE_REASONS } from '../support/bad_input.ts';

type Equal<A, B> = [A] extends [B] ? [B] extends [A] ? true : false : false;
type Holds<T extends true> = T;

type SampleOutput = NephoOutputs['samples']['get'];

/** What the wire has is what the domain calls a sample; metadata is any JSON. */
export type SampleIsWireForm = Holds<
  Equal<Omit<SampleOutput, 'metadata'>, Omit<Sample, 'metadata'>>
>;
export type ListHoldsSamples = Holds<
  Equal<
    Omit<NephoOutputs['samples']['list'], 'checkpoints'>,
    { samples: SampleOutput[]; next_cursor: string | null }
  >
>;
export type TimesAndQuantitiesAreTexts = Holds<
  Equal<
    Pick<
      NephoOutputs['statistics']['query']['statistics'][number],
      'sum' | 'min' | 'max' | 'avg' | 'period_start' | 'count'
    >,
    { sum: string; min: string; max: string; avg: string; period_start: string; count: number }
  >
>;
export type ReceiptIsText = Holds<
  Equal<
    NephoOutputs['receipts']['sample'],
    { origin: string; log_id: number; leaf_index: number; size: number; receipt: string }
  >
>;
export type RoleIsClosed = Holds<
  Equal<NephoOutputs['keys']['whoami']['role'], 'operator' | 'project'>
>;
export type ModeIsClosed = Holds<
  Equal<
    NephoOutputs['actors']['describe']['mode'],
    'running' | 'draining' | 'paused' | 'halted' | null
  >
>;
export type IdIsRequired = Holds<Equal<NephoInputs['receipts']['sample']['id'], string>>;
/** A project's key names its project, an operator's has none. */
export type KeyOfProject = Holds<
  Equal<Extract<NephoInputs['keys']['create'], { role: 'project' }>['project_id'], string>
>;
/** Errors carry a code that is one of a closed table. */
type ErrorData = NonNullable<TRPCClientError<AppRouter>['data']>;
export type ErrorsAreClosed = Holds<
  Equal<string extends ErrorData['error_code'] ? true : false, false>
>;

test('every procedure, and every reason of the quarantine, is in docs/api.md', () => {
  const documented = readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8');
  const named = new Set<string>();
  for (const [cell] of documented.matchAll(/^\| `[a-z]+\.[^|]*\|/gm)) {
    let router = '';
    for (const [, group = '', procedure = ''] of cell.matchAll(/`([a-z]*)\.([a-zA-Z]+)`/g)) {
      router = group === '' ? router : group;
      named.add(`${router}.${procedure}`);
    }
  }
  assert.deepEqual([...named].sort(), Object.keys(appRouter._def.procedures).sort());
  for (const reason of QUARANTINE_REASONS) {
    assert.ok(documented.includes(`| \`${reason}\``), reason);
  }
});

test('every procedure states what it answers', () => {
  const procedures = appRouter._def.procedures as unknown as Record<
    string,
    { _def: { output?: unknown } }
  >;
  for (const [name, { _def }] of Object.entries(procedures)) {
    assert.ok(_def.output !== undefined, name);
  }
});
