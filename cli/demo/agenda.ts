import type { Event } from './oslo.ts';

/** Something that will happen: gives what is notified then, and may plan more. */
export type Happening = (atMs: number) => readonly Event[];

interface Entry {
  atMs: number;
  /** Keeps what was planned first first, at the same time. */
  order: number;
  happen: Happening;
}

/** What is to happen, by time: a binary heap. */
export class Agenda {
  readonly #heap: Entry[] = [];
  #planned = 0;

  /** @param atMs milliseconds since 1970 */
  plan(atMs: number, happen: Happening): void {
    this.#heap.push({ atMs: Math.round(atMs), order: this.#planned, happen });
    this.#planned += 1;
    let child = this.#heap.length - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!this.#isBefore(child, parent)) break;
      this.#swap(child, parent);
      child = parent;
    }
  }

  /** Takes the earliest. */
  next(): { atMs: number; happen: Happening } | undefined {
    const [first] = this.#heap;
    const last = this.#heap.pop();
    if (first === undefined || last === undefined) return undefined;
    if (this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#sink();
    }
    return first;
  }

  #sink(): void {
    let parent = 0;
    for (;;) {
      const [left, right] = [2 * parent + 1, 2 * parent + 2];
      let least = parent;
      if (left < this.#heap.length && this.#isBefore(left, least)) least = left;
      if (right < this.#heap.length && this.#isBefore(right, least)) least = right;
      if (least === parent) return;
      this.#swap(parent, least);
      parent = least;
    }
  }

  #isBefore(one: number, other: number): boolean {
    const [a, b] = [this.#heap[one], this.#heap[other]];
    if (a === undefined || b === undefined) return false;
    return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
  }

  #swap(one: number, other: number): void {
    const [a, b] = [this.#heap[one], this.#heap[other]];
    if (a === undefined || b === undefined) return;
    this.#heap[one] = b;
    this.#heap[other] = a;
  }
}
