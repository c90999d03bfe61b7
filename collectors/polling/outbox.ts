import {
  encodeUnit,
  joinPollMessage,
  type PolledUnit,
  type PollEnd,
  type PollGap,
  type PollHead,
} from '../../meters/poll_message.ts';

/** UTF-16 units of a message, and parts of it: far below what one message may weigh. */
const MESSAGE_LENGTH = 192 * 1024;
const MESSAGE_GAPS = 500;
/** Messages on their way at the same time. */
const IN_FLIGHT = 4;

export interface OutboxPorts {
  /** Resolves when the intake has stored the message. */
  publish(message: Uint8Array): Promise<void>;
}

/**
 * Packs what a cycle reads into messages and sends them while the cycle goes on. Whoever adds faster than
 * the intake takes must wait, so that memory stays bounded.
 */
export class Outbox {
  readonly #head: PollHead;
  readonly #ports: OutboxPorts;
  readonly #sending = new Set<Promise<void>>();
  #units: string[] = [];
  #length = 0;
  #gaps: PollGap[] = [];
  #failure: { error: unknown } | null = null;

  constructor(head: PollHead, ports: OutboxPorts) {
    this.#head = head;
    this.#ports = ports;
  }

  /** @param missing meters of the unit that could not be read: told by the same message */
  addUnit(unit: PolledUnit, missing: readonly PollGap[] = []): void {
    const text = encodeUnit(unit);
    this.#units.push(text);
    this.#gaps.push(...missing);
    this.#length += text.length;
    if (this.#length >= MESSAGE_LENGTH || this.#gaps.length >= MESSAGE_GAPS) this.#send(null);
  }

  addGap(gap: PollGap): void {
    this.#gaps.push(gap);
    if (this.#gaps.length >= MESSAGE_GAPS) this.#send(null);
  }

  /** True if {@link room} would wait or throw: what is added all the same is kept in memory. */
  get isFull(): boolean {
    return this.#failure !== null || this.#sending.size >= IN_FLIGHT;
  }

  /** Waits until there is room. @throws what the intake answered */
  async room(): Promise<void> {
    while (this.#sending.size >= IN_FLIGHT) await Promise.race(this.#sending);
    this.#throwFailure();
  }

  /** Waits until all is stored. @throws as {@link room} */
  async flush(): Promise<void> {
    if (this.#units.length > 0 || this.#gaps.length > 0) this.#send(null);
    await Promise.all(this.#sending);
    this.#throwFailure();
  }

  /** Waits until all is stored, then says that the cycle is at its end. @throws as {@link room} */
  async end(end: PollEnd): Promise<void> {
    await this.flush();
    this.#send(end);
    await Promise.all(this.#sending);
    this.#throwFailure();
  }

  #send(end: PollEnd | null): void {
    const message = joinPollMessage(this.#head, { units: this.#units, gaps: this.#gaps, end });
    this.#units = [];
    this.#gaps = [];
    this.#length = 0;
    const sent = this.#ports.publish(message)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#sending.delete(sent));
    this.#sending.add(sent);
  }

  #throwFailure(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }
}
