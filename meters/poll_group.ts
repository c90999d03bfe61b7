import { fnv1a } from './fnv1a.ts';

/**
 * The group, from 0, that polls a unit: the one with the highest score (rendezvous hashing), so that one
 * group more takes an equal share from each and moves nothing between the others.
 */
export function groupOf(unit: string, groups: number): number {
  let best = 0;
  let highest = -1;
  for (let group = 0; group < groups; group += 1) {
    const score = mix(fnv1a(`${group} ${unit}`));
    if (score > highest) {
      highest = score;
      best = group;
    }
  }
  return best;
}

/** FNV's last bytes hardly reach its high bits; this finaliser of MurmurHash3 spreads them. */
function mix(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
