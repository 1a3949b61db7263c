/** How many callers a second are told whether a commit may merge, over connections that stay open. */
import { Pool } from 'undici';
import { digestOf } from '../suites/sealing/sealing.ts';
import { BenchService } from './bench-service.ts';
import { quantile } from './row.ts';
import { score, sourceOf } from './time-score.ts';

/** So many callers ask at once, and so many times in all. */
const askersAtOnce = 8;
const questions = 12_000;

export async function timeVerdicts(
  service: BenchService,
  gate: string,
  source: string,
): Promise<{ perSecond: number; p99Ms: number }> {
  const commit = 'verdicts';
  await score(service, gate, source, commit);
  const candidate = digestOf(Buffer.from(sourceOf(source, gate, commit)));
  const path = `/verdict?${new URLSearchParams({ gate, change: `bench ${commit}`, commit, candidate })}`;
  // `fetch` takes as long to ask as the service to answer, and there are few cores.
  const pool = new Pool(service.address, { connections: askersAtOnce });
  const headers = { authorization: `Bearer ${BenchService.token}` };
  const askOften = async (times: number[]) => {
    for (let asked = 0; asked < questions / askersAtOnce; asked++) {
      const started = performance.now();
      const { statusCode, body } = await pool.request({ method: 'GET', path, headers });
      const text = await body.text();
      if (statusCode !== 200 || !text.includes('"verdict":"merge"')) throw new Error(text);
      times.push(performance.now() - started);
    }
  };
  const askAll = async () => {
    const times: number[] = [];
    const started = performance.now();
    await Promise.all(Array.from({ length: askersAtOnce }, () => askOften(times)));
    return {
      perSecond: times.length / ((performance.now() - started) / 1_000),
      p99Ms: quantile(times, 0.99),
    };
  };
  try {
    // Until all that answers is compiled.
    await askAll();
    return await askAll();
  } finally {
    await pool.close();
  }
}
