/** Pollster files against a cloud of the test, through the real session and HTTP client. */
import { createHttpClient } from '../../collectors/http/create_http_client.ts';
import { DEFAULT_LIMITS } from '../../collectors/http/http_client.ts';
import { createOpenStackSession } from '../../collectors/openstack/session.ts';
import type { Collector } from '../../collectors/polling/pollster.ts';
import { createRestCollector } from '../../collectors/rest/collector.ts';
import { compileRestDefinitions, type RestFile } from '../../collectors/rest/definition_compile.ts';
import { type RestSettings, restSettingsSchema } from '../../collectors/rest/settings_schema.ts';
import type { Reading } from '../../meters/sample.ts';
import { formatFault } from '../../meters/definition_fault.ts';
import {
  CLOUD_PASSWORD,
  type CloudAnswer,
  type CloudRequest,
  type MisbehavingCloud,
  startMisbehavingCloud,
} from './misbehaving_cloud.ts';
import { type RecordingPollContext, recordingPollContext } from './recording_poll_context.ts';

export interface RestWorld {
  cloud: MisbehavingCloud;
  origin: string;
  context: RecordingPollContext;
  /** Collectors of a file: that of the cloud, and that of none. */
  collectors(text: string, settings?: Partial<RestSettings>): Collector[];
  [Symbol.asyncDispose](): Promise<void>;
}

export async function startRestWorld(
  answer: (request: CloudRequest) => CloudAnswer,
  changes: Parameters<typeof recordingPollContext>[0] = {},
): Promise<RestWorld> {
  const cloud = await startMisbehavingCloud(answer);
  const secrets: Record<string, string> = {
    PASSWORD: CLOUD_PASSWORD,
    ACCESS: 'AKIAIOSFODNN7EXAMPLE',
    SECRET: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    TOKEN: 'abc.def',
  };
  const secret = (reference: { env: string } | { file: string }) =>
    Promise.resolve('env' in reference ? secrets[reference.env] ?? '' : '');
  const nowMs = () => Date.parse('2026-01-31T12:00:00Z');
  const http = createHttpClient({ limitsOf: () => ({ ...DEFAULT_LIMITS, attempts: 1 }), nowMs });
  const session = createOpenStackSession('openstack', cloud.settings, {
    secret,
    readText: () => Promise.reject(new Error('there is no file')),
    nowMs: Date.now,
  });
  const origin = new URL(cloud.settings.auth_url ?? '').origin;
  return {
    cloud,
    origin,
    context: recordingPollContext(changes),
    collectors(text, changes = {}) {
      const settings = { ...restSettingsSchema.parse({}), ...changes };
      const file: RestFile = { name: 'test.yaml', text, isPrivate: true };
      const compiled = compileRestDefinitions([file], settings);
      if (!compiled.ok) throw new Error(compiled.faults.map(formatFault).join('\n'));
      return [session, null].map((each) =>
        createRestCollector(compiled.definitions, settings, { session: each, http, secret, nowMs })
      );
    },
    async [Symbol.asyncDispose]() {
      await session.close();
      await http.close();
      await cloud[Symbol.asyncDispose]();
    },
  };
}

export interface PolledPollster {
  name: string;
  readings: Reading[];
  /** `unit reason: sentence` of what failed. */
  failures: string[];
}

/** What all pollsters of a collector give, each with a listing of its own. */
export async function pollAll(
  collector: Collector,
  context: RecordingPollContext,
): Promise<PolledPollster[]> {
  const results: PolledPollster[] = [];
  for (const pollster of collector.pollsters) {
    const { name } = pollster;
    const result: PolledPollster = { name, readings: [], failures: [] };
    results.push(result);
    const parameter = pollster.discovery.slice(pollster.discovery.indexOf(':') + 1);
    try {
      for await (const page of collector.discoveries[0]?.discover(context, parameter) ?? []) {
        for (const unit of page) {
          try {
            result.readings.push(...await pollster.poll(unit, context));
          } catch (error) {
            result.failures.push(`${unit.id} ${codeOf(error)}`);
          }
        }
      }
    } catch (error) {
      result.failures.push(codeOf(error));
    }
  }
  return results;
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error) || !('code' in error)) throw error;
  return `${String(error.code)}: ${error.message}`;
}
