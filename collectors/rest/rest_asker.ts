import { NephoError } from '../../meters/errors.ts';
import { runCommand } from '../command/run_command.ts';
import type { HttpAnswer, HttpClient } from '../http/http_client.ts';
import { maskedUrl } from '../http/masked_url.ts';
import { commandWords, isAllowedCommand } from './command_words.ts';
import { type CredentialPorts, Credentials } from './credentials.ts';
import type { RestRequest } from './rest_definition.ts';

export interface RestPorts extends CredentialPorts {
  /** For APIs that are no service of a cloud. */
  http: HttpClient;
  /** The commands that may run, by their words. */
  commands: readonly (readonly string[])[];
}

export interface RestAnswer {
  /** The URL or command that was asked: what is not asked twice in one listing. */
  asked: string;
  answer: HttpAnswer;
}

/** Bytes that a command may write. */
const MAX_COMMAND_BYTES = 16 * 1024 * 1024;

/** Asks services of the cloud, other APIs and commands; nothing leaves the origin that it is for. */
export class RestAsker {
  readonly #ports: RestPorts;
  readonly #credentials: Credentials;

  constructor(ports: RestPorts) {
    this.#ports = ports;
    this.#credentials = new Credentials(ports);
  }

  /**
   * @param target the path, URL or command, or the link to a further page
   * @throws {NephoError} a reason of a gap
   */
  async ask(request: RestRequest, target: string, signal: AbortSignal): Promise<RestAnswer> {
    return await within(request.timeoutMs, signal, (limited) => {
      switch (request.kind) {
        case 'service':
          return this.#askService(request, target, limited);
        case 'url':
          return this.#askUrl(request, target, limited);
        case 'command':
          return this.#run(request, target, limited);
      }
    });
  }

  async #askService(
    { serviceType, headers }: Extract<RestRequest, { kind: 'service' }>,
    target: string,
    signal: AbortSignal,
  ): Promise<RestAnswer> {
    const { session } = this.#ports;
    if (session === null) {
      throw new NephoError('service_absent', `Cannot ask '${serviceType}': there is no cloud`);
    }
    const path = (endpoint: string) => joined(target, endpoint).href;
    const { url, answer } = await session.answer(serviceType, path, { signal, headers });
    return { asked: url, answer };
  }

  async #askUrl(
    { url: { text }, origin, headers, authentication }: Extract<RestRequest, { kind: 'url' }>,
    target: string,
    signal: AbortSignal,
  ): Promise<RestAnswer> {
    const url = joined(target, URL.canParse(text) ? text : origin);
    if (url.origin !== origin) {
      throw new NephoError(
        'redirected',
        `Cannot follow a link from '${origin}': it leads to '${maskedUrl(url.href)}'`,
        { retryable: true },
      );
    }
    const signed = await this.#credentials.sign(authentication, { url, headers, signal });
    const answer = await this.#ports.http.request({ url: url.href, headers: signed }, { signal });
    return { asked: url.href, answer };
  }

  async #run(
    { timeoutMs }: Extract<RestRequest, { kind: 'command' }>,
    target: string,
    signal: AbortSignal,
  ): Promise<RestAnswer> {
    const words = commandWords(target);
    const [program = '', ...args] = words;
    if (!isAllowedCommand(words, this.#ports.commands)) {
      throw new NephoError(
        'command_failed',
        `Cannot run '${program}' with these arguments: it is none of the host_commands that the settings allow`,
        { retryable: true },
      );
    }
    const { stdout } = await runCommand({
      program,
      args,
      debianPackage: 'that has it',
      timeoutMs,
      maxBytes: MAX_COMMAND_BYTES,
      signal,
    });
    // As Python's getoutput, which takes one line end off.
    const body = new TextEncoder().encode(stdout.replace(/\r?\n$/, ''));
    const answer = { status: 200, headers: {}, body, receivedMs: this.#ports.nowMs() };
    return { asked: words.join('\0'), answer };
  }
}

/** A link as a browser follows it, which is how Ceilometer joins paths to endpoints. */
function joined(target: string, base: string): URL {
  if (URL.canParse(target, base)) return new URL(target, base);
  throw new NephoError('request_refused', `Cannot ask '${maskedUrl(base)}': its path is no URL`, {
    retryable: true,
  });
}

/** Gives up after the definition's own time. */
async function within<Result>(
  timeoutMs: number,
  signal: AbortSignal,
  run: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController();
  const stop = () => controller.abort();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    stop();
  }, timeoutMs);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    return await run(controller.signal);
  } catch (cause) {
    if (!late || signal.aborted) throw cause;
    throw new NephoError(
      'timeout',
      `Cannot wait for an answer: the pollster's timeout of ${timeoutMs / 1_000} s is over`,
      { retryable: true, cause },
    );
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}
