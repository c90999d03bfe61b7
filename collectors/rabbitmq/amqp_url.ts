import { NephoError } from '../../meters/errors.ts';

/** Seconds between heartbeats; a broker that is silent for two is taken for lost. */
const HEARTBEAT_SECONDS = 30;

/**
 * The brokers of a URL, each as amqplib takes it. Beside `amqp:` and `amqps:` this reads what stands in a
 * service's configuration as `transport_url`: `rabbit://user:pass@host1:5672,user:pass@host2:5672/vhost`.
 *
 * @throws {NephoError} `amqp_url_invalid`
 */
export function parseAmqpUrl(text: string): string[] {
  const match = /^(amqps?|rabbit|kombu):\/\/([^/?#]+)(\/[^?#]*)?(\?[^#]*)?$/.exec(text.trim());
  const [, scheme = '', hosts = '', path = '/', query = ''] = match ?? [];
  if (match === null) throw invalid(text);
  const protocol = scheme === 'amqps' ? 'amqps' : 'amqp';
  return hosts.split(',').map((host) => {
    const url = `${protocol}://${host}${vhostPath(path)}${withHeartbeat(query)}`;
    if (!URL.canParse(url)) throw invalid(text);
    return url;
  });
}

/** The URL without its passwords, for people. */
export function amqpUrlForPeople(text: string): string {
  return text.replace(/(\/\/|,)[^@/,]*@/g, '$1***@').replace(/\?.*$/, '');
}

/** AMQP's URLs say the default vhost by `/`, which amqplib takes; `//` is kombu's for the same. */
function vhostPath(path: string): string {
  return path === '//' ? '/' : path;
}

function withHeartbeat(query: string): string {
  const parameters = new URLSearchParams(query);
  if (!parameters.has('heartbeat')) parameters.set('heartbeat', String(HEARTBEAT_SECONDS));
  return `?${parameters.toString()}`;
}

function invalid(text: string): NephoError {
  return new NephoError(
    'amqp_url_invalid',
    `Cannot read RabbitMQ's address '${
      amqpUrlForPeople(text)
    }': write amqp://user:password@host:5672/vhost`,
  );
}
