import { errorMessage, NephoError } from '../../meters/errors.ts';
import { maskedUrl } from './masked_url.ts';

/** Codes of OpenSSL's verdicts on a certificate, as Node passes them on. */
const CERTIFICATE_CODE =
  /^(?:CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(?:VERIFY|GET_ISSUER|GET_CRL|DECRYPT_C)|ERR_TLS_CERT|INVALID_(?:CA|PURPOSE)|HOSTNAME_MISMATCH)/;
/** Deno has no codes for them. */
const CERTIFICATE_MESSAGE = /certificate|UnknownIssuer|self.signed/i;

/** The reason for which an exchange with an endpoint came to no answer. */
export function exchangeError(url: string, cause: unknown): NephoError {
  const masked = maskedUrl(url);
  const code = codeOf(cause);
  const context = { url: masked, ...(code === '' ? {} : { cause: code }) };
  const message = errorMessage(cause);
  if (CERTIFICATE_CODE.test(code) || CERTIFICATE_MESSAGE.test(message)) {
    return new NephoError(
      'certificate_invalid',
      `Cannot trust '${new URL(url).host}': its certificate was refused (${
        code === '' ? shortened(message) : code
      }); name its authority in 'ca_file'`,
      { context },
    );
  }
  const timedOut = /^(?:ETIMEDOUT|UND_ERR_(?:CONNECT|HEADERS|BODY)_TIMEOUT)$/.test(code);
  return new NephoError(
    timedOut ? 'timeout' : 'unreachable',
    `Cannot read '${masked}': ${explain(code, message)}`,
    { retryable: true, context },
  );
}

function explain(code: string, message: string): string {
  if (code === 'ECONNREFUSED') return 'the connection was refused';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'its name is not known';
  if (code === 'ECONNRESET' || code === 'UND_ERR_SOCKET' || code === 'EPIPE') {
    return 'the connection was cut off';
  }
  if (code.startsWith('HPE_')) return `it does not speak HTTP (${code})`;
  if (code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') return 'the answer ended early';
  return code === '' ? shortened(message) : `the exchange failed (${code})`;
}

/** The code of an error, or of the one behind it: with several addresses there are several. */
function codeOf(cause: unknown): string {
  if (typeof cause !== 'object' || cause === null) return '';
  if ('code' in cause && typeof cause.code === 'string') return cause.code;
  if ('errors' in cause && Array.isArray(cause.errors)) return codeOf(cause.errors[0]);
  return 'cause' in cause ? codeOf(cause.cause) : '';
}

function shortened(message: string): string {
  return message.replace(/[\p{C}\s]+/gu, ' ').slice(0, 120);
}
