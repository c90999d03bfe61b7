/**
 * Which IP addresses belong to the public internet, so that nobody can have a server of ours talk to the
 * machines beside it (IANA's special-purpose registries of RFC 6890).
 */

type Octets = readonly number[];

/** Address and bits of the prefix. */
const NOT_PUBLIC_V4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.31.196.0', 24],
  ['192.52.193.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['192.175.48.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
];

/** Of the global unicast addresses, 2000::/3, those that are not: the others are not asked about. */
const NOT_PUBLIC_V6: readonly (readonly [string, number])[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2620:4f:8000::', 48],
  ['3fff::', 20],
];

/**
 * True for an address of the public internet. What only carries an address of version 4 is as public as that:
 * `::ffff:127.0.0.1`, and 6to4 (`2002:7f00:1::`). False for text that is no address.
 */
export function isPublicAddress(address: string): boolean {
  const octets = readV4(address) ?? readV6(address);
  if (octets === null) return false;
  if (octets.length === 4) return isPublicV4(octets);
  if (isWithin(octets, '::ffff:0:0', 96)) return isPublicV4(octets.slice(12));
  if (isWithin(octets, '2002::', 16)) return isPublicV4(octets.slice(2, 6));
  return isWithin(octets, '2000::', 3) &&
    !NOT_PUBLIC_V6.some(([prefix, bits]) => isWithin(octets, prefix, bits));
}

function isPublicV4(octets: Octets): boolean {
  return !NOT_PUBLIC_V4.some(([prefix, bits]) => isWithin(octets, prefix, bits));
}

function isWithin(octets: Octets, prefix: string, bits: number): boolean {
  const other = readV4(prefix) ?? readV6(prefix) ?? [];
  return octets.every((octet, index) => {
    const counted = Math.min(8, Math.max(0, bits - 8 * index));
    const mask = 0xff & (0xff << (8 - counted));
    return (octet & mask) === ((other[index] ?? 0) & mask);
  });
}

/** Strictly four decimal numbers: other ways of writing are resolved before they come here. */
function readV4(text: string): Octets | null {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part))) return null;
  const octets = parts.map(Number);
  return octets.every((octet) => octet <= 255) ? octets : null;
}

function readV6(text: string): Octets | null {
  const [address = ''] = text.split('%', 1);
  const embedded = address.slice(address.lastIndexOf(':') + 1);
  const tail = embedded.includes('.') ? readV4(embedded) : [];
  if (tail === null) return null;
  const hex = tail.length === 0
    ? address
    : address.slice(0, address.length - embedded.length) + '0:0';
  const halves = hex.split('::');
  if (halves.length > 2) return null;
  const [left = [], right = []] = halves.map((half) => half === '' ? [] : half.split(':'));
  const missing = 8 - left.length - right.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const groups = [...left, ...Array<string>(halves.length === 2 ? missing : 0).fill('0'), ...right];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return null;
  const octets = groups.flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff]);
  return tail.length === 0 ? octets : [...octets.slice(0, 12), ...tail];
}
