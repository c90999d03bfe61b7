import { SeededRandom } from '../../cli/demo/random.ts';
import type { CloudApiRequest, CloudFault } from './cloud_api.ts';

const LISTINGS = [/\/servers\/detail$/, /\/ports$/] as const;
const DIAGNOSTICS = /\/diagnostics$/;

/** How bad it is: chance of a fault for a request, and listings that cannot be had at all. */
interface Climate {
  chance: number;
  down: readonly RegExp[];
  /** Pages of servers after which their listing breaks off. */
  pages: number;
}

const CALM: Climate = { chance: 0, down: [], pages: Infinity };
const CLIMATES: readonly Climate[] = [
  CALM,
  CALM,
  { ...CALM, chance: 0.02 },
  { ...CALM, chance: 0.02 },
  { ...CALM, chance: 0.02 },
  { ...CALM, chance: 0.2 },
  { ...CALM, chance: 0.6 },
  { ...CALM, down: [LISTINGS[0]] },
  { ...CALM, chance: 0.02, down: [LISTINGS[1]] },
  { ...CALM, down: LISTINGS },
  { ...CALM, pages: 1 },
  { ...CALM, chance: 0.02, pages: 2 },
];

/** The faults of a simulated cloud, by seed: some for a request, some for as long as the weather lasts. */
export class Weather {
  readonly #random: SeededRandom;
  #climate = CALM;

  constructor(seed: string) {
    this.#random = new SeededRandom(seed);
  }

  change(): void {
    this.#climate = this.#random.pick(CLIMATES);
  }

  at({ path, query }: CloudApiRequest): CloudFault | null {
    const { chance, down, pages } = this.#climate;
    if (down.some((listing) => listing.test(path))) return this.#failure();
    const isServers = LISTINGS[0].test(path);
    if (isServers && pages === 1 && query.has('marker')) return this.#failure();
    // A marker is all that a page tells of its place, so the second one is any behind the first.
    if (isServers && pages === 2 && query.has('marker') && this.#random.next() < 0.5) {
      return this.#failure();
    }
    if (this.#random.next() < chance) return this.#anything(path);
    return null;
  }

  #failure(): CloudFault {
    return this.#random.pick<CloudFault>([
      { kind: 'status', status: 503 },
      { kind: 'status', status: 500 },
      { kind: 'half' },
      { kind: 'html' },
      { kind: 'cut' },
      { kind: 'reset' },
      { kind: 'answer', status: 302, body: '', headers: { location: 'http://127.0.0.1:9/' } },
      { kind: 'answer', status: 200, body: '{"error":{"code":500,"message":"On order"}}' },
    ]);
  }

  #anything(path: string): CloudFault {
    const kind = this.#random.next();
    if (kind < 0.1) return { kind: 'expire' };
    if (kind < 0.2) return { kind: 'late', milliseconds: this.#random.between(1, 400) };
    if (kind < 0.3) {
      return { kind: 'status', status: this.#random.pick([400, 403, 404, 429, 502, 504]) };
    }
    if (kind < 0.6) return this.#failure();
    const spoilt = this.#random.pick(['"none"', 'null', '-1', '"17"']);
    const field = DIAGNOSTICS.test(path)
      ? this.#random.pick(['rx_octets', 'rx_drop', 'read_bytes'])
      : 'ram';
    return {
      kind: 'edit',
      edit: (body) => body.replace(new RegExp(`"${field}":\\d+`), `"${field}":${spoilt}`),
    };
  }
}
