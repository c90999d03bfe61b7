/** Beyond so many characters nothing is a slip of the pen. */
const MAX_LENGTH = 64;

/** The word that may have been meant: that with the fewest slips, null if all are too far off. */
export function nearestWord(word: string, words: readonly string[]): string | null {
  if (word.length > MAX_LENGTH) return null;
  const allowed = Math.max(1, Math.floor(word.length / 3));
  let nearest: string | null = null;
  let fewest = allowed + 1;
  for (const candidate of words) {
    const slips = distance(word.toLowerCase(), candidate.toLowerCase());
    if (slips < fewest) {
      fewest = slips;
      nearest = candidate;
    }
  }
  return nearest;
}

/** Insertions, deletions, replacements and swaps of neighbours between two texts. */
function distance(from: string, to: string): number {
  let before: number[] = [];
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (to[j - 1] === from[i - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && to[j - 1] === from[i - 2] && to[j - 2] === from[i - 1];
      const swapped = isSwap ? (before[j - 2] ?? 0) + 1 : Infinity;
      next.push(Math.min(replaced, swapped, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    before = row;
    row = next;
  }
  return row[to.length] ?? 0;
}
