import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closeBus, connectBus } from '../../bus/connection.ts';
import { natsSkipReason, startNats } from '../support/nats_server.ts';

/** A bridge or worker that is told to end while NATS is away must end. */
test('closeBus() ends a connection whose server is gone', { skip: natsSkipReason() }, async () => {
  const server = await startNats();
  const connection = await connectBus({ url: server.url, name: 'test' });
  // Listening before it happens: what was told before is not told again.
  const statuses = connection.status();
  await server.kill();
  for await (const status of statuses) {
    if (status.type === 'disconnect') break;
  }
  await closeBus(connection);
  assert.equal(connection.isClosed(), true);
  await server.stop();
});
