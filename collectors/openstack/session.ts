import { NephoError } from '../../meters/errors.ts';
import type { HttpAnswer } from '../http/http_client.ts';
import { readJsonObject } from './json_answer.ts';
import { listingPages } from './listing_pages.ts';
import { type OpenStackSessionDeps, ServiceCaller } from './service_caller.ts';
import type { OpenStackAnswers, OpenStackSession } from './session_interface.ts';
import type { OpenStackSettings } from './settings_schema.ts';

/** A session with what only its owner does. */
export interface OwnedOpenStackSession extends OpenStackSession, OpenStackAnswers {
  /**
   * The services whose clock was seen to be minutes from ours since this was last asked, with the
   * milliseconds that they are ahead.
   */
  takeSkews(): ReadonlyMap<string, number>;
  close(): Promise<void>;
}

/** A clock that is this far from ours is worth a remark. */
const SKEW_MS = 120_000;

/**
 * A session with one cloud: its token and catalogue, and the shapes of its answers.
 *
 * @param cloud its name in polling.yaml
 */
export function createOpenStackSession(
  cloud: string,
  settings: OpenStackSettings,
  deps: OpenStackSessionDeps,
): OwnedOpenStackSession {
  const caller = new ServiceCaller(cloud, settings, deps);
  const skews = new Map<string, number>();

  function noteSkew(serviceType: string, { headers, receivedMs }: HttpAnswer): void {
    const skewMs = Date.parse(headers['date'] ?? '') - receivedMs;
    if (Math.abs(skewMs) >= SKEW_MS) skews.set(serviceType, skewMs);
  }

  const session: OwnedOpenStackSession = {
    cloud,
    answer: (serviceType, path, call) => caller.ask({ serviceType, path, method: 'GET' }, call),
    async get(serviceType, path, call) {
      const { url, answer } = await caller.ask({ serviceType, path, method: 'GET' }, call);
      return readJsonObject(url, answer);
    },
    async head(serviceType, path, call) {
      return (await caller.ask({ serviceType, path, method: 'HEAD' }, call)).answer.headers;
    },
    async *pages(serviceType, path, call) {
      const request = { serviceType, path, method: 'GET' } as const;
      yield* listingPages(await caller.url(request, call.signal), call, async (url) => {
        const { answer } = await caller.ask(request, call, url);
        noteSkew(serviceType, answer);
        return answer;
      });
    },
    projects(call) {
      const path = (endpoint: string) => `${endpoint.replace(/\/v3$/, '')}/v3/projects`;
      const paging = { by: 'link', key: 'links.next' } as const;
      return session.pages('identity', path, { ...call, entriesKey: 'projects', paging });
    },
    async endpoint(serviceType, { signal }) {
      const path = (endpoint: string) => endpoint;
      return (await caller.url({ serviceType, path, method: 'GET' }, signal)).replace(/\/+$/, '');
    },
    async projectId({ signal }) {
      const projectId = await caller.projectId(signal);
      if (projectId !== null) return projectId;
      throw new NephoError('unauthorised', `Cannot name the project of cloud '${cloud}': none`);
    },
    takeSkews() {
      const taken = new Map(skews);
      skews.clear();
      return taken;
    },
    close: () => caller.close(),
  };
  return session;
}
