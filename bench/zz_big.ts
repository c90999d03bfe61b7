import pg from 'pg';
import { startPostgres } from '../test/support/postgres.ts';
import { WindowWorld } from '../test/support/window_world.ts';
import { insertWindowKeeper } from '../db/window_keepers.ts';
import { readFile } from 'node:fs/promises';
import { parseUsageRules } from '../meters/usage_rules_schema.ts';
import { formatMicros, toMicros } from '../meters/timestamp.ts';
const orig = pg.Client.prototype.query; let on = false;
(pg.Client.prototype as any).query = function (...a: any[]) {
  const t = performance.now(); const nm = (a[0]?.name ?? '') + ' ' + String(a[0]?.text ?? a[0]).slice(0, 90).replace(/\s+/g,' '); const cb = a[a.length-1];
  const log = () => { const d = performance.now()-t; if (on && d>60) console.log('    SLOW', d.toFixed(0), nm); };
  if (typeof cb === 'function') a[a.length-1] = (...r: any[]) => { log(); cb(...r); };
  const r = orig.apply(this, a as any) as any; if (r?.then) r.then(log, ()=>{}); return r;
};
const p = await startPostgres({ isPrivate: true, fsync: false, settings: ['shared_buffers=512MB'] });
const world = await WindowWorld.on(p.url, Date.parse('2026-11-01T01:00:00Z'), { span: { from: '2026-10-01T00:00:00.000000Z', to: '2026-12-01T00:00:00.000000Z' } });
const parsed = parseUsageRules(await readFile(new URL('../definitions/usage/usage.yaml', import.meta.url), 'utf8'));
if (!parsed.ok) throw 1; world.rules = parsed.config;
const meter = process.argv[2] ?? 'memory';
try {
  const mk = (n: number, at: string, o: string) => ({ origin: o, meter, type: 'gauge' as const, resource: `r-${n}`, project: `p-${n%50}`, at, volume: String(n%64+1), metadata: { launched_at: '2026-10-01T00:00:00' } });
  // the first hour by the real writer, the rest by SQL
  await world.append(Array.from({length:1000},(_, n)=>mk(n, formatMicros(toMicros('2026-10-01T00:00:00.000000Z')+BigInt(n*1000)), `a${n}`)));
  await world.pool.query(`INSERT INTO samples (position, ts, origin_id, id, series_id, metadata_id, volume)
    SELECT 1002 + (k-1)*1000 + n, '2026-10-01T00:00Z'::timestamptz + k*interval '15 min' + n*interval '1 ms', n, md5(k||'-'||n)::uuid, s.series_id, 1, (n%64)+1
    FROM generate_series(1, 2879) k, (SELECT series_id, row_number() OVER () - 1 AS n FROM series) s ORDER BY 1`);
  const { rows: [{ m }] } = await world.pool.query('SELECT max(position) m FROM samples');
  await world.pool.query("INSERT INTO batches SELECT 1002, 2879000, now(), 1, 1, '2026-10-01T00:15Z', '2026-11-01T00:00Z'");
  const size = Number(m) + 1;
  await insertWindowKeeper(world.pool, 0, '2026-10-01T00:00:00.000000Z');
  await world.pool.query("UPDATE window_keepers SET scanned_to = $1", [size]);
  await world.pool.query('UPDATE logs SET size=size');
  if (process.argv[3] === 'analyze') await world.pool.query('VACUUM ANALYZE');
  console.log('filled');
  let from = '2026-10-01T00:00:00.000000Z';
  for (let d = 0; d < 30; d++) { const to = formatMicros(toMicros(from)+24n*3600000000n); on = d===2||d===29; const t=performance.now(); const r = await world.seal({from, to, size}); if (d%7===2||d>=28) console.log(from, r.windows, ((performance.now()-t)/24).toFixed(0), 'ms an hour'); from = to; }
  on = true;
  const t0 = performance.now();
} catch (e) { console.error(e); } finally { await world.stop(); await p.stop(); }
