/** A receiver of webhooks on this machine that answers as a test says, and remembers all that came. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

export interface ReceivedWebhook {
  path: string;
  headers: Record<string, string | undefined>;
  body: string;
  atMs: number;
}

export type Answer = (
  response: ServerResponse,
  request: IncomingMessage,
  webhook: ReceivedWebhook,
) => void;

/** An answer with nothing in it. */
export function status(code: number, headers: Record<string, string> = {}): Answer {
  return (response) => {
    response.writeHead(code, headers).end();
  };
}

export class WebhookReceiver {
  readonly received: ReceivedWebhook[] = [];
  readonly #server: Server;
  readonly #answers = new Map<string, Answer>();

  static async start(): Promise<WebhookReceiver> {
    const server = createServer();
    const receiver = new WebhookReceiver(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  private constructor(server: Server) {
    this.#server = server;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => body += text).on('end', () => {
        const webhook: ReceivedWebhook = {
          path: request.url ?? '',
          headers: Object.fromEntries(
            Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
          ),
          body,
          atMs: Date.now(),
        };
        this.received.push(webhook);
        const answer = this.#answers.get(webhook.path) ?? status(204);
        answer(response, request, webhook);
      });
    });
  }

  get url(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  }

  /** How a path answers from now on; 204 unless told. */
  answer(path: string, answer: Answer): void {
    this.#answers.set(path, answer);
  }

  at(path: string): ReceivedWebhook[] {
    return this.received.filter((one) => one.path === path);
  }

  /** Waits until so many came to a path. */
  async until(path: string, count: number, limitMs = 30_000): Promise<ReceivedWebhook[]> {
    const deadline = Date.now() + limitMs;
    while (this.at(path).length < count) {
      if (Date.now() > deadline) {
        throw new Error(`${this.at(path).length} webhooks came to ${path}, not ${count}`);
      }
      await delay(20);
    }
    return this.at(path);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
