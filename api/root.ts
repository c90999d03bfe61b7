import { actorsRouter } from './routers/actors.ts';
import { auditsRouter } from './routers/audits.ts';
import { coverageRouter } from './routers/coverage.ts';
import { definitionsRouter } from './routers/definitions.ts';
import { healthRouter } from './routers/health.ts';
import { keysRouter } from './routers/keys.ts';
import { logsRouter } from './routers/logs.ts';
import { metersRouter } from './routers/meters.ts';
import { notificationsRouter } from './routers/notifications.ts';
import { proofsRouter } from './routers/proofs.ts';
import { quarantineRouter } from './routers/quarantine.ts';
import { receiptsRouter } from './routers/receipts.ts';
import { resourcesRouter } from './routers/resources.ts';
import { samplesRouter } from './routers/samples.ts';
import { sourcesRouter } from './routers/sources.ts';
import { statementsRouter } from './routers/statements.ts';
import { statisticsRouter } from './routers/statistics.ts';
import { usageRouter } from './routers/usage.ts';
import { windowsRouter } from './routers/windows.ts';
import { createCallerFactory, router } from './trpc.ts';

/** Everything that can be asked of nepho. docs/api.md describes it. */
export const appRouter = router({
  actors: actorsRouter,
  audits: auditsRouter,
  coverage: coverageRouter,
  definitions: definitionsRouter,
  health: healthRouter,
  keys: keysRouter,
  logs: logsRouter,
  meters: metersRouter,
  notifications: notificationsRouter,
  proofs: proofsRouter,
  quarantine: quarantineRouter,
  receipts: receiptsRouter,
  resources: resourcesRouter,
  samples: samplesRouter,
  sources: sourcesRouter,
  statements: statementsRouter,
  statistics: statisticsRouter,
  usage: usageRouter,
  windows: windowsRouter,
});

/** What clients are typed by. */
export type AppRouter = typeof appRouter;

/** Calls procedures inside the process, with a context of `createContext`. */
export const createCaller = createCallerFactory(appRouter);
