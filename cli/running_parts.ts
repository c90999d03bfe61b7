import type { Settings } from './env.ts';
import { readRunningSystem } from './running_system.ts';

/** What is not configured is taken from the embedded system that runs on this home, if one does. */
export async function withRunningParts(settings: Settings): Promise<Settings> {
  const running = await readRunningSystem(settings.home);
  if (running === null) return settings;
  return {
    ...settings,
    databaseUrl: settings.databaseUrl ?? running.databaseUrl,
    natsUrl: settings.natsUrl ?? running.natsUrl,
    natsMonitorUrl: settings.natsMonitorUrl ?? running.natsMonitorUrl,
    temporalAddress: settings.temporalAddress ?? running.temporalAddress,
  };
}
