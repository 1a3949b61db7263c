/** How long the pages take on a year of history, as a lead's browser asks for them. */
import { z } from 'zod';

export type AskedPages = {
  address: string;
  /** Of somebody who may see every page. */
  token: string;
  gates: string[];
  suites: string[];
};

const attemptsSchema = z.object({
  scores: z.array(
    z.object({ id: z.string(), change: z.object({ id: z.string(), repository: z.string().optional() }) }),
  ),
});

/** The milliseconds from the request to the whole page, by kind of page, of each gate or suite in so many rounds. */
export async function timePages(asked: AskedPages, rounds: number): Promise<Map<string, number[]>> {
  const { gates, suites } = asked;
  const cookie = await signIn(asked);
  const attempts = await Promise.all(gates.map((gate) => newestAttempt(asked, gate)));
  const kinds: Record<string, string[]> = {
    overview: gates.map(() => '/ui/'),
    gate: gates.map((gate) => `/ui/gates/${gate}`),
    changes: gates.map(() => '/ui/changes'),
    'changes of an agent': gates.map((gate) => `/ui/changes?gate=${gate}&agent=agent-1`),
    'blocked changes': gates.map((gate) => `/ui/changes?gate=${gate}&verdict=block`),
    change: attempts.map(
      ({ change: { id, repository = '' } }, index) =>
        `/ui/changes/${encodeURIComponent(id)}?gate=${gates[index]}&repository=${encodeURIComponent(repository)}`,
    ),
    score: attempts.map(({ id }) => `/ui/scores/${id}`),
    suites: suites.map(() => '/ui/suites'),
    suite: suites.map((suite) => `/ui/suites/${suite}`),
    'trends of a gate': gates.map((gate) => `/ui/trends?gate=${gate}`),
    'trends of a suite': suites.map((suite) => `/ui/trends?suite=${suite}`),
    audit: gates.map(() => '/ui/audit'),
  };
  const times = new Map<string, number[]>();
  for (const [kind, paths] of Object.entries(kinds)) {
    const ofKind: number[] = [];
    // The first round is for what is read from disk.
    for (let round = 0; round <= rounds; round++) {
      for (const path of paths) {
        const started = performance.now();
        const response = await fetch(`${asked.address}${path}`, { headers: { cookie } });
        const text = await response.text();
        if (!response.ok) throw new Error(`${path}: ${response.status} ${text.slice(0, 2_000)}`);
        if (round > 0) ofKind.push(performance.now() - started);
      }
    }
    times.set(kind, ofKind);
  }
  return times;
}

/** The session's cookie, as a browser would send it. */
async function signIn({ address, token }: AskedPages): Promise<string> {
  const response = await fetch(`${address}/ui/sign-in`, {
    method: 'POST',
    headers: { origin: address, 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ token }),
    redirect: 'manual',
  });
  const [cookie = ''] = response.headers.getSetCookie();
  if (response.status !== 303) throw new Error(`sign-in: ${response.status} ${await response.text()}`);
  return cookie.split(';', 1)[0] ?? '';
}

async function newestAttempt({ address, token }: AskedPages, gate: string) {
  const response = await fetch(`${address}/changes?gate=${gate}&limit=1`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const [newest] = attemptsSchema.parse(await response.json()).scores;
  if (newest === undefined) throw new Error(`gate ${gate} has no attempts`);
  return newest;
}
