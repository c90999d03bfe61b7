/**
 * A service asks Keystone about each token that it sees for the first time, and once for every request
 * that comes before the answer is here: a dozen listings at once are a dozen questions, and Keystone is
 * the slowest of all. So one request goes ahead with a new token, and the others follow it.
 */
export class TokenIntroduction {
  readonly #first = new Map<string, { token: string; answered: Promise<void> | null }>();

  /** @param service what has its own memory of tokens */
  async ask<Answer>(
    { service, token }: { service: string; token: string },
    ask: () => Promise<Answer>,
    wait: (first: Promise<void>) => void | Promise<void>,
  ): Promise<Answer> {
    const known = this.#first.get(service);
    if (known?.token === token) {
      if (known.answered !== null) await wait(known.answered);
      return await ask();
    }
    const asked = ask();
    const entry: { token: string; answered: Promise<void> | null } = { token, answered: null };
    const done = (): void => {
      entry.answered = null;
    };
    entry.answered = asked.then(done, done);
    this.#first.set(service, entry);
    return await asked;
  }
}
