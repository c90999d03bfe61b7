import { createHmac } from 'node:crypto';

export interface S3Credentials {
  accessKey: string;
  secretKey: string;
  /** The host under which buckets are subdomains; null if there are none. */
  server: string | null;
}

/** Parts of a query that are signed along. */
const SIGNED_PARAMETERS: ReadonlySet<string> = new Set([
  'acl',
  'cors',
  'delete',
  'lifecycle',
  'location',
  'logging',
  'notification',
  'partNumber',
  'policy',
  'requestPayment',
  'response-cache-control',
  'response-content-disposition',
  'response-content-encoding',
  'response-content-language',
  'response-content-type',
  'response-expires',
  'tagging',
  'torrent',
  'uploadId',
  'uploads',
  'versionId',
  'versioning',
  'versions',
  'website',
]);

/**
 * The headers of a GET signed by S3's version 2, as `awsauth.S3Auth` signs for the Ceph Object Gateway.
 * Source: "Signing and authenticating REST requests", Amazon S3 API reference.
 *
 * @param headers lower-case names
 * @param nowMs milliseconds since 1970; a gateway refuses a date a quarter of an hour off
 */
export function signS3(
  url: URL,
  headers: Readonly<Record<string, string>>,
  credentials: S3Credentials,
  nowMs: number,
): Record<string, string> {
  const date = new Date(nowMs).toUTCString();
  const signed = { ...headers, date };
  const amazon = Object.entries(signed)
    .filter(([name]) => name.startsWith('x-amz-'))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}:${value.trim()}\n`);
  const text = [
    'GET',
    headers['content-md5'] ?? '',
    headers['content-type'] ?? '',
    date,
    `${amazon.join('')}${resourceOf(url, credentials.server)}`,
  ].join('\n');
  const signature = createHmac('sha1', credentials.secretKey).update(text, 'utf8').digest('base64');
  return { ...signed, authorization: `AWS ${credentials.accessKey}:${signature}` };
}

function resourceOf(url: URL, server: string | null): string {
  const bucket = server !== null && url.host.endsWith(`.${server}`)
    ? `/${url.host.slice(0, -server.length - 1)}`
    : '';
  const signed = url.search.slice(1).split('&')
    .filter((part) => SIGNED_PARAMETERS.has(part.split('=', 1)[0] ?? ''))
    .sort();
  return `${bucket}${url.pathname}${signed.length === 0 ? '' : `?${signed.join('&')}`}`;
}
