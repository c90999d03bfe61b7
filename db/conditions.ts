/** Conditions of a WHERE clause, all of which must hold, with the values that they bind. */
export class Conditions {
  readonly values: unknown[];
  readonly #clauses: string[] = [];

  /** `values` of another clause of the same statement, which numbers its placeholders with it. */
  constructor(values: unknown[] = []) {
    this.values = values;
  }

  /** The placeholder of a value: `$3`. */
  bind(value: unknown): string {
    return `$${this.values.push(value)}`;
  }

  add(clause: string): void {
    this.#clauses.push(clause);
  }

  /** `column = value`; null asks for rows without one, undefined for nothing. */
  equal(column: string, value: string | number | null | undefined): void {
    if (value === undefined) return;
    this.add(value === null ? `${column} IS NULL` : `${column} = ${this.bind(value)}`);
  }

  get isEmpty(): boolean {
    return this.#clauses.length === 0;
  }

  get sql(): string {
    return this.#clauses.length === 0 ? 'true' : this.#clauses.join(' AND ');
  }
}
