/** `/ui/suites`: the suites, one of them, one revision, two of them compared. Whoever reads cases is recorded as on the API. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { findExposures } from '../../../gate/disclosure/exposure.ts';
import { isWithinLimits } from '../../../gate/limits.ts';
import { listGates } from '../../../gate/policies.ts';
import { findStrength } from '../../../gate/strength/strengths.ts';
import { caseAsText } from '../../../suites/authoring/case-as-text.ts';
import type { Comparable } from '../../../suites/authoring/compare-contents.ts';
import { describeRevision } from '../../../suites/authoring/make-revision.ts';
import { openComparison } from '../../../suites/life/change-revisions.ts';
import type { Comparison } from '../../../suites/life/life.ts';
import { findRevisionHistory } from '../../../suites/life/revision-history.ts';
import { findSuite, listSuites } from '../../../suites/revisions.ts';
import { slugSchema } from '../../../suites/suite.ts';
import { readerOf, requireSuite } from '../../access.ts';
import type { AppParts } from '../../app.ts';
import { revisionParams } from '../../routes/suites.ts';
import { type ComparedCase, comparePage } from '../compare-page.ts';
import { showPage } from '../show-page.ts';
import { visitOf } from '../signed-in.ts';
import { suiteListPage } from '../suite-list-page.ts';
import { suitePage } from '../suite-page.ts';
import { isAuthor, listCases, showRevision } from './revision-view.ts';

/** So many cases that differ are shown. */
const comparedMax = 100;

const paging = z.coerce.number().int().min(1).max(1_000).default(1);

export const suitePages: FastifyPluginAsyncZod<{ parts: AppParts }> = async (app, { parts }) => {
  const { authoring, suites, preflights } = parts;
  const { database } = authoring;
  const suiteParams = z.strictObject({ suite: slugSchema });
  const everybody = { roles: ['author', 'lead'] as const };

  app.get('/suites', { config: everybody }, async (request, reply) => {
    const reader = readerOf(request);
    const theirs = (await listSuites(database)).filter(({ suite }) => isWithinLimits(reader.suites, suite));
    const gates = (await listGates(database)).filter(({ gate }) => isWithinLimits(reader.gates, gate));
    const active = theirs.flatMap(({ suite, activeRevision }) =>
      activeRevision === null ? [] : [{ suite, revision: activeRevision }],
    );
    const exposures = await findExposures(database, active);
    const listed = theirs.map((suite) => ({
      suite,
      gates: gates.filter(({ suites: needed }) => needed.includes(suite.suite)).map(({ gate }) => gate),
      bits: exposures.find((one) => one.suite === suite.suite)?.bits ?? 0,
    }));
    const content = suiteListPage(listed, { mayWrite: isAuthor(reader) });
    return showPage(request, reply, { title: 'Suites', here: 'suites' }, content);
  });

  app.get(
    '/suites/:suite',
    { config: everybody, schema: { params: suiteParams, querystring: z.strictObject({ page: paging }) } },
    async (request, reply) => {
      const { reader, csrf } = visitOf(request);
      requireSuite(reader, request.params.suite);
      const suite = await findSuite(database, request.params.suite);
      const active = suite.activeRevision;
      const name = active === null ? undefined : { suite: suite.suite, revision: active };
      const [exposure] = name === undefined ? [] : await findExposures(database, [name]);
      const budgets = (await listGates(database))
        .filter(
          ({ gate, suites: needed }) => isWithinLimits(reader.gates, gate) && needed.includes(suite.suite),
        )
        .map(({ gate, exposureBudgetBits = null }) => ({ gate, budgetBits: exposureBudgetBits }));
      const view = {
        suite,
        history: await findRevisionHistory(database, suite.suite),
        bits: exposure?.bits ?? 0,
        budgets,
        csrf,
      };
      if (!isAuthor(reader)) {
        const content = suitePage({ ...view, forAuthors: undefined });
        return showPage(request, reply, { title: suite.suite, here: 'suites' }, content);
      }
      const looked = name && (await listCases(parts, name, request.query.page, reader.tokenId));
      const { references = [] } = name === undefined ? {} : await suites.open(name);
      const forAuthors = {
        listing: looked?.listing,
        left: looked?.left ?? [],
        references,
        strength: name && (await findStrength(database, name)),
        preflight: name && (await preflights.last(name)),
      };
      const content = suitePage({ ...view, forAuthors });
      return showPage(request, reply, { title: suite.suite, here: 'suites' }, content);
    },
  );

  app.get(
    '/suites/:suite/revisions/:revision',
    {
      config: everybody,
      schema: {
        params: revisionParams,
        querystring: z.strictObject({ page: paging, measurement: z.uuid().optional() }),
      },
    },
    async (request, reply) => {
      requireSuite(readerOf(request), request.params.suite);
      return showRevision(parts, request, reply, request.params, request.query);
    },
  );

  app.get(
    '/suites/:suite/compare',
    {
      config: { roles: ['author'] },
      schema: {
        params: suiteParams,
        querystring: z.strictObject({
          from: revisionParams.shape.revision,
          to: revisionParams.shape.revision,
        }),
      },
    },
    async (request, reply) => {
      const { reader, csrf } = visitOf(request);
      const { suite } = request.params;
      requireSuite(reader, suite);
      const { from, to } = request.query;
      const names = { suite, revision: to, with: from };
      const { comparison, before, after } = await openComparison(authoring, names, reader.tokenId);
      const { revisions } = await findSuite(database, suite);
      const content = comparePage({
        comparison,
        cases: comparedCases(comparison, before, after),
        others: comparedBesides(before, after),
        from: await describeRevision(database, { suite, revision: from }),
        to: await describeRevision(database, { suite, revision: to }),
        revisions,
        csrf,
      });
      const title = `${suite}: revision ${from} to ${to}`;
      return showPage(request, reply, { title, here: 'suites' }, content);
    },
  );
};

/** The cases that differ, first those that changed, as texts. */
function comparedCases(
  { changed, added, removed }: Comparison,
  before: Comparable,
  after: Comparable,
): ComparedCase[] {
  return [...changed, ...added, ...removed].slice(0, comparedMax).map((name) => ({
    name,
    before: textOf(before, name),
    after: textOf(after, name),
  }));
}

/** A case with its predicate, where it has one that can be had; `''` where there is no such case. */
function textOf({ contents, predicates }: Comparable, name: string): string {
  const position = contents.cases.findIndex((testCase) => testCase.name === name);
  const testCase = contents.cases[position];
  if (testCase === undefined) return '';
  const predicate = predicates?.[position];
  return `${caseAsText(testCase).text}${typeof predicate === 'string' ? `\n${predicate}\n` : ''}`;
}

/** What differs besides the cases: limits, and builds, which are too long to be shown whole. */
function comparedBesides(before: Comparable, after: Comparable): ComparedCase[] {
  const limits = (each: Comparable) => `${JSON.stringify(each.contents.limits, undefined, 2)}\n`;
  const builds = (each: Comparable) =>
    each.contents.references
      .map(({ name, verdict, build }) => `reference ${name}, ${verdict}\n${build}\n`)
      .join('\n');
  return [
    { name: 'Limits', before: limits(before), after: limits(after) },
    { name: 'References', before: builds(before), after: builds(after) },
  ].filter((each) => each.before !== each.after);
}
