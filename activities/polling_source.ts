import type { PollingConfig } from '../meters/polling_config.ts';
import { parsePolling } from '../meters/polling_parse.ts';
import {
  type ConfigurationInForce,
  ConfigurationSource,
  type ConfigurationSourceOptions,
} from './configuration_source.ts';

/** A configuration of polling that may come into force. */
export type PollingInForce = ConfigurationInForce<PollingConfig>;

/** `check` finds the faults that only the schemas of the collectors see. */
export type PollingSourceOptions = Pick<
  ConfigurationSourceOptions<PollingConfig>,
  'stamp' | 'read' | 'check' | 'nowMs'
>;

/** The newest polling.yaml that is without a fault; without any, `polling_faulty`. */
export class PollingSource extends ConfigurationSource<PollingConfig> {
  constructor(options: PollingSourceOptions) {
    super({
      ...options,
      parse: parsePolling,
      faulty: { code: 'polling_faulty', action: 'poll without a configuration' },
    });
  }
}
