import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { billingPeriodId, deliveryIdOf } from '../../ledger/billing_identity.ts';
import { hmacSha256 } from '../../ledger/hmac_sha256.ts';
import { signWebhook, verifyWebhook, webhookKey } from '../../ledger/webhook_signature.ts';
import { isPublicAddress } from '../../meters/network_address.ts';

/** The vector of the specification's own libraries. */
const VECTOR = {
  secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  timestamp: 1_614_265_330,
  body: '{"test": 2432232314}',
  signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
};
const OTHER = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD';
const NOW = { nowMs: VECTOR.timestamp * 1_000 };

function headersOf(signature: string): Record<string, string> {
  return {
    'webhook-id': VECTOR.id,
    'webhook-timestamp': String(VECTOR.timestamp),
    'webhook-signature': signature,
  };
}

test('signWebhook gives the golden vector of Standard Webhooks', () => {
  assert.equal(signWebhook(VECTOR, [VECTOR.secret]), VECTOR.signature);
  const both = signWebhook(VECTOR, [OTHER, VECTOR.secret]);
  assert.deepEqual(both.split(' ').map((one) => one.slice(0, 3)), ['v1,', 'v1,']);
  assert.equal(both.split(' ')[1], VECTOR.signature);
});

test('verifyWebhook takes what any of the secrets signed, while they change', () => {
  const request = {
    headers: headersOf(signWebhook(VECTOR, [OTHER, VECTOR.secret])),
    body: VECTOR.body,
  };
  for (const secrets of [[VECTOR.secret], [OTHER], ['whsec_' + 'A'.repeat(32), OTHER]]) {
    assert.deepEqual(verifyWebhook(request, { secrets, ...NOW }), {
      ok: true,
      id: VECTOR.id,
      timestamp: VECTOR.timestamp,
    });
  }
  const bytes = { ...request, body: new TextEncoder().encode(VECTOR.body) };
  assert.ok(verifyWebhook(bytes, { secrets: [OTHER], ...NOW }).ok);
});

test('verifyWebhook refuses whatever was changed, old, or signed by another', () => {
  const good = { headers: headersOf(VECTOR.signature), body: VECTOR.body };
  const verdict = (
    request: Parameters<typeof verifyWebhook>[0],
    options = { secrets: [VECTOR.secret], ...NOW },
  ) => {
    const result = verifyWebhook(request, options);
    return result.ok ? 'ok' : result.code;
  };
  assert.equal(verdict(good), 'ok');
  assert.equal(verdict({ ...good, body: `${VECTOR.body} ` }), 'signature_wrong');
  assert.equal(verdict(good, { secrets: [OTHER], ...NOW }), 'signature_wrong');
  assert.equal(verdict(good, { secrets: [], ...NOW }), 'signature_wrong');
  for (const seconds of [-301, 301]) {
    const nowMs = (VECTOR.timestamp + seconds) * 1_000;
    assert.equal(verdict(good, { secrets: [VECTOR.secret], nowMs }), 'timestamp_invalid');
  }
  for (const name of Object.keys(good.headers)) {
    const headers = { ...good.headers, [name]: undefined };
    assert.equal(verdict({ ...good, headers }), 'headers_missing');
  }
  const changed: [string, string][] = [
    ['webhook-id', `${VECTOR.id}x`],
    ['webhook-timestamp', String(VECTOR.timestamp + 1)],
    ['webhook-signature', 'v1,dawfeoifkpqwoekfpqoekf'],
    ['webhook-signature', VECTOR.signature.replace('v1,', 'v2,')],
    ['webhook-signature', 'v1,'],
  ];
  for (const [name, value] of changed) {
    assert.equal(
      verdict({ ...good, headers: { ...good.headers, [name]: value } }),
      'signature_wrong',
    );
  }
});

test('a secret that is none is refused without being told', () => {
  for (
    const secret of ['', 'whsec_', 'hunter2hunter2', 'whsec_c2hvcnQ=', `whsec_${'A'.repeat(400)}`]
  ) {
    assert.throws(() => webhookKey(secret), (error: Error) => !error.message.includes('hunter2'));
  }
});

test('hmacSha256 is that of the runtime, for keys of any length', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), fc.uint8Array(), (key, message) => {
    const expected = createHmac('sha256', key).update(message).digest('hex');
    assert.equal(Buffer.from(hmacSha256(key, message)).toString('hex'), expected);
  }));
});

test('a webhook-id is one of its statement and endpoint', () => {
  const about = { projectId: 'p', period: '2026-10', number: 0, endpoint: 'billing' };
  assert.match(deliveryIdOf(about), /^msg_[0-9a-f]{32}$/);
  const others = [{ projectId: 'q' }, { period: '2026-11' }, { number: 1 }, { endpoint: 'crm' }];
  const ids = [about, ...others.map((other) => ({ ...about, ...other }))].map(deliveryIdOf);
  assert.equal(new Set(ids).size, 5);
});

test('billingPeriodId is another for every other project, and short', () => {
  assert.equal(billingPeriodId('3ac8c9', '2026-10'), 'billing-3ac8c9-2026-10');
  assert.equal(billingPeriodId('a/b~', '2026-W04'), 'billing-a~2f.b~7e.-2026-W04');
  const project = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 300 });
  fc.assert(fc.property(project, project, (left, right) => {
    const [one, other] = [billingPeriodId(left, '2026-10'), billingPeriodId(right, '2026-10')];
    assert.match(one, /^[A-Za-z0-9_.~-]{1,250}$/);
    assert.equal(one === other, left === right);
  }));
});

test('an address is public only if nothing beside us can hide behind it', () => {
  const hidden =
    '0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 127.255.255.255 169.254.169.254 172.16.0.1 ' +
    '172.31.255.255 192.0.0.8 192.168.1.1 198.18.0.1 224.0.0.1 240.0.0.1 255.255.255.255 :: ::1 ' +
    '::ffff:127.0.0.1 ::ffff:7f00:1 ::ffff:10.0.0.1 ::ffff:a00:1 ::127.0.0.1 64:ff9b::7f00:1 ' +
    'fe80::1 fe80::1%eth0 fc00::1 fd12:3456::1 ff02::1 2001::1 2001:db8::1 2002:7f00:1:: 2002:a00:1::1 ' +
    '100::1 5f00::1 localhost 1.2.3 1.2.3.4.5 01.2.3.4 256.1.1.1 :1: 1::2::3 g::1 2606::1:2:3:4:5:6:7:8 x';
  for (const address of ['', ...hidden.split(' ')]) {
    assert.equal(isPublicAddress(address), false, address);
  }
  const open =
    '1.1.1.1 8.8.8.8 172.15.0.1 172.32.0.1 100.128.0.1 223.255.255.255 2606:4700::1111 ' +
    '2a00:1450:4001:80f::200e ::ffff:8.8.8.8 2002:808:808::1 2001:4860:4860::8888';
  for (const address of open.split(' ')) assert.equal(isPublicAddress(address), true, address);
});
