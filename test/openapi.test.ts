/** The OpenAPI document: what openapi.yaml says is what the service serves, valid, complete and short enough to read. */
import { readFile } from 'node:fs/promises';
import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type Reply, startWorld, type World } from './world.ts';

const written: unknown = parse(await readFile(new URL('../openapi.yaml', import.meta.url), 'utf8'));

type Operation = { id: string; path: string; method: string; says: Record<string, unknown> };

/** Every route of the document, as `GET /gates`. */
const operations: Operation[] = Object.entries(objectAt(written, 'paths')).flatMap(([path, methods]) =>
  Object.entries(Object(methods)).map(([method, says]) => ({
    id: `${method.toUpperCase()} ${path}`,
    path,
    method,
    says: Object(says),
  })),
);
const open = ['GET /healthz', 'GET /readyz', 'GET /recipient'];

let world: World;
let served: Reply;

beforeAll(async () => {
  world = await startWorld({ HOLDBACK_POOL: '1' });
  served = await world.client(undefined)('GET', '/openapi.json');
});
afterAll(() => world.close());

test('openapi.yaml is what the service serves', () => {
  expect(served.status).toBe(200);
  expect(served.json).toEqual(written);
});

test('it is valid OpenAPI 3.1', async () => {
  expect(Reflect.get(Object(written), 'openapi')).toBe('3.1.0');
  const result = await new Validator().validate(structuredClone(Object(written)));
  expect(result.errors ?? []).toEqual([]);
  expect(result.valid).toBe(true);
});

test('the nouns are named components, each stated once and each referred to', () => {
  const nouns = Object.keys(objectAt(objectAt(written, 'components'), 'schemas'));
  expect(nouns).toEqual(
    expect.arrayContaining([
      ...['Case', 'Change', 'Expectation', 'Gate', 'GatePolicy', 'Limits', 'Problem', 'Revision'],
      ...['Score', 'ScoreRequest', 'Suite', 'SuiteSource', 'Token', 'Verdict'],
    ]),
  );
  const text = JSON.stringify(written);
  for (const noun of nouns) expect(text, noun).toContain(`"#/components/schemas/${noun}"`);
  expect(nouns.filter((noun) => noun.endsWith('Input'))).toEqual([]);
});

test('every reference leads somewhere', () => {
  const references = JSON.stringify(written).matchAll(/"\$ref":"#\/([^"]+)"/g);
  for (const [, reference = ''] of references) {
    const target = reference.split('/').reduce<unknown>((at, key) => Reflect.get(Object(at), key), written);
    expect(target, reference).toBeTypeOf('object');
  }
});

describe.each(operations)('$id', ({ id, path, says }) => {
  test('says what it is for', () => {
    expect(says.summary).toMatch(/\w/);
    expect(says.tags).toEqual([expect.any(String)]);
    const tags = Reflect.get(Object(written), 'tags');
    expect(Array.isArray(tags) ? tags.map((tag) => Reflect.get(Object(tag), 'name')) : []).toContain(
      Array.isArray(says.tags) ? says.tags[0] : '',
    );
  });

  test('says what it answers, and that it may answer with problems', () => {
    const responses = Object.entries(Object(says.responses));
    expect(responses.some(([status]) => /^2\d\d$/.test(status))).toBe(true);
    for (const [status, response] of responses) {
      if (/^2/.test(status))
        expect(Reflect.get(Object(response), 'description'), status).not.toBe('Default Response');
    }
    if (id === 'GET /healthz' || id === 'GET /readyz') return;
    const problem = { $ref: '#/components/responses/Problem' };
    expect(Object(says.responses)).toMatchObject({ '4XX': problem, '5XX': problem });
  });

  test('asks for a token, unless it is about health or public, and takes one with pictures that not all may see', () => {
    const isPicture = /\.svg$/.test(id);
    const closed = isPicture ? [{}, { token: [] }] : [{ token: [] }];
    expect(says.security).toEqual(open.includes(id) ? [] : closed);
  });

  test('names every parameter of its address', () => {
    const parameters = Array.isArray(says.parameters) ? says.parameters : [];
    const inPath = parameters.filter((parameter) => Reflect.get(Object(parameter), 'in') === 'path');
    const named = inPath.map((parameter) => `${Reflect.get(Object(parameter), 'name')}`);
    expect(named.sort()).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort());
  });
});

test('every route that the service has is in the document, but for the document itself, the schemas of files and the pages', () => {
  const inDocument = new Set(operations.map(({ id }) => id));
  const routes = routesOf(world.service.app.printRoutes({ commonPrefix: false }));
  expect(routes.length).toBeGreaterThan(operations.length);
  const isNoApi = (id: string) => / \/(?:$|docs|openapi\.json|schemas|ui)/.test(id);
  expect(routes.filter((id) => !inDocument.has(id) && !isNoApi(id) && !id.startsWith('HEAD '))).toEqual([]);
});

test('/docs shows the document in Swagger UI, without a token', async () => {
  const anybody = world.client(undefined);
  const page = await anybody('GET', '/docs');
  expect(page.status).toBe(200);
  expect(page.headers.get('content-type')).toContain('text/html');
  expect(page.text).toContain('swagger-ui');
  const [, script = ''] = /src="([^"]*swagger-ui-bundle\.js)"/.exec(page.text) ?? [];
  const loaded = await anybody('GET', new URL(script, 'http://any/docs/').pathname);
  expect(loaded.status).toBe(200);
});

/** The routes of Fastify's printed tree, in the document's words: four characters a level, each level a part of the path. */
function routesOf(tree: string): string[] {
  const parts: string[] = [];
  return tree.split('\n').flatMap((line) => {
    const [, indent = '', part = '', methods = ''] = /^(.*?)[├└]── (\S+)(?: \((.+)\))?$/.exec(line) ?? [];
    parts.splice(indent.length / 4, Number.POSITIVE_INFINITY, part);
    const path = parts.join('').replaceAll(/:(\w+)/g, '{$1}');
    return methods === '' ? [] : methods.split(', ').map((method) => `${method} ${path}`);
  });
}

function objectAt(holder: unknown, key: string): object {
  return Object(Reflect.get(Object(holder), key));
}
