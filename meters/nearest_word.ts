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

/** Insertions, deletions and replacements between two texts (Levenshtein). */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [i, character] of Array.from(from).entries()) {
    const next = [i + 1];
    for (let j = 1; j <= to.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (to[j - 1] === character ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
