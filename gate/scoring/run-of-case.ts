/** From a sealed case to what a runner is told of it. Of the answer key nothing crosses here. */
import { STATUS_CODES } from 'node:http';
import type { CaseRun, Exchange, Fixtures, RequestBody } from '../../runners/case-run.ts';
import { isScenario, type SealedCase, stepsOf } from '../../suites/case.ts';
import { type AuthoredExchange, canonicalZone } from '../../suites/fixtures.ts';

/** What a runner is told of a case. */
export function runOfCase(testCase: SealedCase): CaseRun {
  const [first, ...rest] = stepsOf(testCase).map(({ call, input, expect }) => ({
    call,
    input,
    wanted: expect !== undefined || testCase.relate === true,
  }));
  if (first === undefined) throw new Error('a sealed case calls nothing');
  const fixtures = fixturesOf(testCase);
  return {
    calls: [first, ...rest],
    isScenario: isScenario(testCase),
    ...(testCase.within === undefined ? {} : { isTimed: true as const }),
    ...(Object.keys(fixtures).length === 0 ? {} : { fixtures }),
  };
}

function fixturesOf({ at, zone, seed, http }: SealedCase): Fixtures {
  return {
    ...(at === undefined ? {} : { atMs: Date.parse(at) }),
    ...(zone === undefined ? {} : { zone: canonicalZone(zone) ?? zone }),
    ...(seed === undefined ? {} : { seed }),
    ...(http === undefined ? {} : { http: http.map(exchangeOf) }),
  };
}

/** An exchange with everything that its author may leave out, but for how often the request should be made. */
function exchangeOf({ request, response }: AuthoredExchange): Exchange {
  const { method = 'GET', url, headers = {}, body } = request;
  const { status = 200 } = response;
  const isJson = response.body !== undefined && typeof response.body !== 'string';
  const sent = new Headers(response.headers);
  if (response.body !== undefined && !sent.has('content-type')) {
    sent.set('content-type', isJson ? 'application/json' : 'text/plain;charset=UTF-8');
  }
  const asked = URL.parse(url);
  if (asked !== null) asked.hash = '';
  return {
    request: {
      method: method.toUpperCase(),
      url: asked?.href ?? url,
      headers: Object.entries(headers),
      ...(body === undefined ? {} : { body: bodyOf(body) }),
    },
    response: {
      status,
      statusText: STATUS_CODES[status] ?? '',
      headers: [...sent],
      body: isJson ? JSON.stringify(response.body) : String(response.body ?? ''),
    },
  };
}

function bodyOf(body: unknown): RequestBody {
  return typeof body === 'string' ? { text: body } : { json: JSON.stringify(body) };
}
