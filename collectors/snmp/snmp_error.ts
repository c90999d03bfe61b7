import { NephoError } from '../../meters/errors.ts';
import type { GapReason } from '../../meters/poll_gap.ts';
import { netSnmp } from './net_snmp.ts';

const { ErrorStatus, ResponseInvalidCode } = netSnmp;
/** What a system says of a name or a network that is not there. */
const UNREACHABLE =
  /^(?:ENOTFOUND|EAI_|EHOSTUNREACH|ENETUNREACH|ECONNREFUSED|ENETDOWN|EADDRNOTAVAIL)/;

/**
 * What net-snmp, or the system below it, says, in the words of coverage. Its own sentences are not repeated:
 * some tell digests that were made with the key.
 *
 * @param agent what the host is called, with its port
 */
export function snmpError(error: Error, agent: string): NephoError {
  const { name, code, status } = error as Error & { code?: unknown; status?: unknown };
  const cannot = (reason: GapReason, what: string, retryable: boolean) =>
    new NephoError(reason, `Cannot ask the SNMP agent '${agent}': ${what}`, {
      retryable,
      context: { agent },
    });
  if (name === 'RequestTimedOutError') {
    return cannot(
      'timeout',
      'it does not answer; check host, port and, of SNMPv2c, community',
      true,
    );
  }
  if (name === 'RequestFailedError') return requestFailed(status, cannot);
  if (name === 'ResponseInvalidError') {
    if (
      error.message === 'Not In Time Window' || code === ResponseInvalidCode['ENotInTimeWindow']
    ) {
      return cannot('server_error', 'its clock of SNMPv3 is not where it was', true);
    }
    if (
      code === ResponseInvalidCode['EAuthFailure'] ||
      code === ResponseInvalidCode['ECouldNotDecrypt']
    ) return cannot('unauthorised', `it refuses the user: ${refusal(error.message)}`, false);
    return cannot('parse_error', 'its answer is none of SNMP', true);
  }
  if (typeof code === 'string' && UNREACHABLE.test(code)) return cannot('unreachable', code, true);
  return cannot('parse_error', 'its answer cannot be read', true);
}

function requestFailed(
  status: unknown,
  cannot: (reason: GapReason, what: string, retryable: boolean) => NephoError,
): NephoError {
  if (status === ErrorStatus['AuthorizationError'] || status === ErrorStatus['NoAccess']) {
    return cannot('forbidden', 'it does not let this user see what was asked', false);
  }
  if (status === ErrorStatus['TooBig']) {
    return cannot('too_large', 'its answer does not fit into a datagram', false);
  }
  const known = typeof status === 'number' ? ErrorStatus[String(status)] : undefined;
  return cannot('server_error', `it answers ${known ?? 'with an error'}`, true);
}

/** The reports of RFC 3414 by the words of net-snmp. */
function refusal(message: string): string {
  const words: Readonly<Record<string, string>> = {
    'Unsupported Security Level': 'it wants another level of security',
    'Unknown User Name': 'it does not know the name',
    'Wrong Digest (incorrect password, community or key)': 'the authentication key is wrong',
    'Decryption Error': 'the privacy key or its protocol is wrong',
  };
  return words[message] ?? 'its answer is not signed or encrypted with the same keys';
}
