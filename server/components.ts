/**
 * The nouns of the API by name, so that the OpenAPI document states each of them once. The schemas stay where they are
 * owned; a schema that is derived from one of them, and is no noun itself, is written out where it is used.
 */
import { STATUS_CODES } from 'node:http';
import type { SwaggerTransformObject } from '@fastify/swagger';
import { createJsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { type ZodType, z } from 'zod';
import { auditHeadSchema, auditRecordSchema } from '../gate/audit/audit-chain.ts';
import {
  disclosedScoreSchema,
  failureSchema,
  finishedScoreSchema,
  replaySchema,
  runningScoreSchema,
  verdictSchema,
} from '../gate/disclosure/disclosed.ts';
import { changeSchema, gatePolicySchema, gateSchema, scoreRequestSchema } from '../gate/gate.ts';
import {
  measurementSchema,
  strengthReportSchema,
  strengthRequestSchema,
  strengthSchema,
  survivorSchema,
} from '../gate/strength/strength.ts';
import {
  caseTrendsSchema,
  figuresSchema,
  gapSchema,
  rateSchema,
  seriesSchema,
  trendSchema,
} from '../gate/trends/trend.ts';
import { limitsSchema } from '../runners/protocol.ts';
import { caseSchema } from '../suites/case.ts';
import { expectationSchema } from '../suites/expectation.ts';
import { leaksSchema } from '../suites/leaks/leaks.ts';
import { identityStateSchema } from '../suites/sealing/identity-state.ts';
import {
  openedRevisionSchema,
  receivedRevisionSchema,
  revisionSchema,
  suiteSchema,
  suiteSourceSchema,
} from '../suites/suite.ts';
import { problemSchema } from './problems.ts';
import { tokenRequestSchema, tokenSchema } from './token.ts';

const nouns: Record<string, ZodType> = {
  Gate: gateSchema,
  GatePolicy: gatePolicySchema,
  Change: changeSchema,
  ScoreRequest: scoreRequestSchema,
  Score: disclosedScoreSchema,
  RunningScore: runningScoreSchema,
  FinishedScore: finishedScoreSchema,
  Failure: failureSchema,
  Replay: replaySchema,
  Verdict: verdictSchema,
  Suite: suiteSchema,
  SuiteSource: suiteSourceSchema,
  Case: caseSchema,
  Expectation: expectationSchema,
  Revision: revisionSchema,
  OpenedRevision: openedRevisionSchema,
  Leaks: leaksSchema,
  Strength: strengthSchema,
  StrengthRequest: strengthRequestSchema,
  StrengthReport: strengthReportSchema,
  Measurement: measurementSchema,
  Survivor: survivorSchema,
  Trend: trendSchema,
  TrendSeries: seriesSchema,
  Figures: figuresSchema,
  Rate: rateSchema,
  Gap: gapSchema,
  CaseTrends: caseTrendsSchema,
  ReceivedRevision: receivedRevisionSchema,
  IdentityState: identityStateSchema,
  Limits: limitsSchema,
  Token: tokenSchema,
  TokenRequest: tokenRequestSchema,
  AuditRecord: auditRecordSchema,
  AuditHead: auditHeadSchema,
  Problem: problemSchema,
};
for (const [id, schema] of Object.entries(nouns)) {
  z.globalRegistry.add(schema, { ...z.globalRegistry.get(schema), id });
}

const addComponents = createJsonSchemaTransformObject({ zodToJsonConfig: { target: 'draft-2020-12' } });
const responseSchema = z.looseObject({ description: z.string() });
const operationSchema = z.looseObject({ responses: z.record(z.string(), responseSchema) });
const documentSchema = z.looseObject({
  components: z.looseObject({ schemas: z.record(z.string(), z.unknown()) }),
  paths: z.record(z.string(), z.record(z.string(), operationSchema)),
});
const prefix = '#/components/schemas/';

/**
 * Adds the nouns to the document. The library makes two forms of each, `Case` as it is answered and `CaseInput` as it is
 * read; here each noun gets the one form that is used, under its own name. Throws if both are used and differ.
 */
export const nameComponents: SwaggerTransformObject = (document) => {
  const { components, paths, ...rest } = documentSchema.parse(addComponents(document));
  const text = JSON.stringify({ ...rest, paths: describeResponses(paths) });
  const problem = { description: 'A problem (RFC 9457).', content: problemContent };
  const used = new Set<string>();
  const use = (referring: string) => {
    for (const name of Object.keys(components.schemas)) {
      if (used.has(name) || !referring.includes(`"${prefix}${name}"`)) continue;
      used.add(name);
      use(JSON.stringify(components.schemas[name]));
    }
  };
  use(text);
  use(JSON.stringify(problem));
  const schemas: Record<string, unknown> = {};
  for (const name of Object.keys(nouns).sort()) {
    const forms = [`${name}Input`, name].filter((form) => used.has(form));
    const [form, other = form] = forms.map((each) => named(JSON.stringify(components.schemas[each])));
    if (form !== other) throw new Error(`what is read as ${name} is not what is answered as ${name}`);
    if (form !== undefined) schemas[name] = JSON.parse(form, withoutNoise);
  }
  return {
    ...JSON.parse(named(text)),
    components: { ...components, responses: { Problem: problem }, schemas },
  };
};

const problemContent = { 'application/problem+json': { schema: { $ref: `${prefix}Problem` } } };

/** Problems are stated once, and every other response says what its status means. */
function describeResponses(paths: z.infer<typeof documentSchema>['paths']): object {
  const describe = ([status, response]: [string, z.infer<typeof responseSchema>]) =>
    /^[45]XX$/.test(status)
      ? [status, { $ref: '#/components/responses/Problem' }]
      : [status, { ...response, description: STATUS_CODES[status] ?? response.description }];
  return mapValues(paths, (operations) =>
    mapValues(operations, ({ responses, ...operation }) => ({
      ...operation,
      responses: Object.fromEntries(Object.entries(responses).map(describe)),
    })),
  );
}

function mapValues<Value>(record: Record<string, Value>, map: (value: Value) => unknown): object {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}

/** A reviver that leaves out what the library says in every schema and tells nobody anything. */
function withoutNoise(this: object, key: string, value: unknown): unknown {
  if (key === 'pattern' && 'format' in this) return undefined;
  return value === Number.MAX_SAFE_INTEGER || value === Number.MIN_SAFE_INTEGER ? undefined : value;
}

/** JSON text in which every noun is referred to by its own name. */
function named(text: string): string {
  return Object.keys(nouns).reduce(
    (renamed, name) => renamed.replaceAll(`"${prefix}${name}Input"`, `"${prefix}${name}"`),
    text,
  );
}
