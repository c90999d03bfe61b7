import { credsAuthenticator, type NatsConnection, wsconnect } from '@nats-io/nats-core';
import { connect, type NodeConnectionOptions } from '@nats-io/transport-node';
import { NephoError } from '../meters/errors.ts';
import { busError } from './errors.ts';

export interface BusOptions {
  /** `nats://[user:password@]host:port`, also `tls:`, `ws:`, `wss:`; several are separated by commas. */
  url: string;
  /** Who we are, for the server's monitoring. */
  name: string;
  /** The text of a `.creds` file, where the server wants one. */
  credentials?: string;
  /** PEM of the authority that signed the server's certificate. */
  caCertificate?: string;
  /** Wait for a server that is not up yet, rather than fail. */
  waitForServer?: boolean;
  /** Told when the connection is lost and found again. */
  onStatus?: (status: BusStatus) => void;
}

export interface BusStatus {
  event: 'bus_disconnected' | 'bus_reconnected' | 'bus_error';
  detail: string;
}

const OLDEST_SERVER: readonly [number, number] = [2, 10];
const RECONNECT_WAIT_MS = 500;
const RECONNECT_JITTER_MS = 500;
const CONNECT_TIMEOUT_MS = 5_000;

/**
 * Connects to NATS, and stays connected: a lost server is looked for until the connection is closed.
 *
 * @throws {NephoError} `bus_unavailable`, `bus_refused`, `bus_unsuitable` (too old, or no JetStream),
 * `bus_url_invalid`
 */
export async function connectBus(options: BusOptions): Promise<NatsConnection> {
  const { open, settings } = connectionOptions(options);
  let connection: NatsConnection;
  try {
    connection = await open(settings);
  } catch (error) {
    throw busError(error, `connect to NATS at '${withoutSecrets(options.url)}'`);
  }
  try {
    checkServer(connection);
  } catch (error) {
    await connection.close();
    throw error;
  }
  if (options.onStatus !== undefined) void reportStatus(connection, options.onStatus);
  return connection;
}

function connectionOptions(options: BusOptions): {
  open: (settings: NodeConnectionOptions) => Promise<NatsConnection>;
  settings: NodeConnectionOptions;
} {
  const urls = options.url.split(',').map(parseUrl);
  const [first] = urls;
  if (first === undefined) throw urlInvalid(options.url);
  const scheme = first.protocol;
  const settings: NodeConnectionOptions = {
    servers: urls.map((url) => `${url.protocol}//${url.host}`),
    name: options.name,
    timeout: CONNECT_TIMEOUT_MS,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    reconnectJitter: RECONNECT_JITTER_MS,
    waitOnFirstConnect: options.waitForServer ?? false,
    ...userOf(first),
  };
  if (options.credentials !== undefined) {
    settings.authenticator = credsAuthenticator(new TextEncoder().encode(options.credentials));
  }
  if (scheme === 'tls:' || options.caCertificate !== undefined) {
    settings.tls = options.caCertificate === undefined ? {} : { ca: options.caCertificate };
  }
  return { open: scheme.startsWith('ws') ? (given) => wsconnect(given) : connect, settings };
}

/** NATS's client does not read a user from the URL. */
function userOf(url: URL): Pick<NodeConnectionOptions, 'user' | 'pass' | 'token'> {
  const user = decodeURIComponent(url.username);
  if (user === '') return {};
  if (url.password === '') return { token: user };
  return { user, pass: decodeURIComponent(url.password) };
}

function parseUrl(text: string): URL {
  let url: URL;
  try {
    url = new URL(text.trim());
  } catch {
    throw urlInvalid(text);
  }
  if (!['nats:', 'tls:', 'ws:', 'wss:'].includes(url.protocol) || url.hostname === '') {
    throw urlInvalid(text);
  }
  return url;
}

function urlInvalid(text: string): NephoError {
  return new NephoError(
    'bus_url_invalid',
    `Cannot connect to NATS at '${withoutSecrets(text)}': write nats://host:4222`,
  );
}

function withoutSecrets(url: string): string {
  return url.replace(/\/\/[^@/]*@/g, '//***@');
}

function checkServer(connection: NatsConnection): void {
  const version = connection.info?.version ?? '0.0.0';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_SERVER;
  if (major < oldestMajor || (major === oldestMajor && minor < oldestMinor)) {
    throw new NephoError(
      'bus_unsuitable',
      `Cannot use nats-server ${version}: ${oldestMajor}.${oldestMinor} or newer is needed`,
      { context: { version } },
    );
  }
  if (connection.info?.jetstream !== true) {
    throw new NephoError(
      'bus_unsuitable',
      `Cannot use nats-server ${version}: JetStream is off; start it with --jetstream`,
      { context: { version } },
    );
  }
}

/**
 * Ends a connection: what is under way is let through if the server is there, and given up if not. A
 * connection that waits for its server would keep the process alive for ever.
 */
export async function closeBus(connection: NatsConnection): Promise<void> {
  if (connection.isClosed()) return;
  try {
    await connection.drain();
  } catch {
    await connection.close();
  }
}

async function reportStatus(
  connection: NatsConnection,
  onStatus: (status: BusStatus) => void,
): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type === 'disconnect') {
      onStatus({ event: 'bus_disconnected', detail: status.server });
    } else if (status.type === 'reconnect') {
      onStatus({ event: 'bus_reconnected', detail: status.server });
    } else if (status.type === 'error') {
      onStatus({ event: 'bus_error', detail: status.error.message });
    }
  }
}
