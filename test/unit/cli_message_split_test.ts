import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { listItems, splitMessages } from '../../cli/message_split.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const texts = (input: string | Uint8Array) =>
  splitMessages(typeof input === 'string' ? bytes(input) : input).messages
    .map((message) => new TextDecoder().decode(message));

test('one notification, a list of them and one a line give the same messages', () => {
  assert.deepEqual(texts('{"a":1}'), ['{"a":1}']);
  assert.deepEqual(texts(' [ {"a":1}, {"a":2} ]\n'), ['{"a":1}', '{"a":2}']);
  assert.deepEqual(texts('{"a":1}\n\n{"a":2}\r\n'), ['{"a":1}', '{"a":2}\r']);
  assert.deepEqual(texts('\uFEFF{"a":1}'), ['{"a":1}']);
});

test('items of a list are cut out as they stand, numbers beyond 2^53 included', () => {
  const item = '{"volume": 12345678901234567890.10, "text": "],\\"[{" }';
  assert.deepEqual(texts(`[${item},[1,[2]],"a,b"]`), [item, '[1,[2]]', '"a,b"']);
});

test('every JSON list falls into the texts of its items', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue()), fc.integer({ min: 0, max: 3 }), (list, indent) => {
      const items = listItems(JSON.stringify(list, null, indent));
      assert.deepEqual(items.map((item) => JSON.parse(item)), JSON.parse(JSON.stringify(list)));
    }),
  );
});

test('a line that is no JSON is sent as it is, and counted', () => {
  const { messages, unreadable } = splitMessages(bytes('{"a":1}\n{"a":\n'));
  assert.deepEqual(messages.map((message) => new TextDecoder().decode(message)), [
    '{"a":1}',
    '{"a":',
  ]);
  assert.equal(unreadable, 1);
});

test('bytes that are not UTF-8 stay as they are', () => {
  const input = new Uint8Array([...bytes('{"a":1}\n'), 0xff, 0xfe, 0x0a]);
  assert.deepEqual([...splitMessages(input).messages[1] ?? []], [0xff, 0xfe]);
});

test('input of which nothing is JSON, or that is empty, is refused', () => {
  assert.throws(() => splitMessages(bytes('hello\nworld')), { code: 'input_unreadable' });
  assert.throws(() => splitMessages(bytes(' \n\t\n')), { code: 'input_empty' });
  assert.throws(() => splitMessages(bytes('[]')), { code: 'input_empty' });
  assert.throws(() => splitMessages(new Uint8Array()), { code: 'input_empty' });
});
