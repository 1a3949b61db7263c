/** `/ui/suites/…/cases`: an author writes one case. A form's buttons do what scripts do, so that neither is needed for the other. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { GateError } from '../../../gate/errors.ts';
import { dryBuildCharsMax, dryRunRequestSchema } from '../../../gate/scoring/dry-run.ts';
import { appendAudit } from '../../../migrations/append-audit.ts';
import { caseAsText } from '../../../suites/authoring/case-as-text.ts';
import { caseCharsMax, caseTextSchema } from '../../../suites/authoring/case-text.ts';
import { describeRevision } from '../../../suites/authoring/make-revision.ts';
import { hasFunctions } from '../../../suites/case.ts';
import { SuiteError } from '../../../suites/errors.ts';
import { editCase } from '../../../suites/life/change-revisions.ts';
import { findRevisionHistory } from '../../../suites/life/revision-history.ts';
import { findSuite, type RevisionName } from '../../../suites/revisions.ts';
import { type SuiteContents, slugSchema } from '../../../suites/suite.ts';
import { readerOf, requireSuite } from '../../access.ts';
import type { AppParts } from '../../app.ts';
import { RequestError } from '../../problems.ts';
import { revisionParams } from '../../routes/suites.ts';
import { type CaseEditorView, caseEditorPage, newCaseText } from '../case-editor-page.ts';
import { caseFindings } from '../case-findings.ts';
import { type DryRunAnswer, dryRunResults } from '../dry-run-results.ts';
import { showPage } from '../show-page.ts';
import { visitOf } from '../signed-in.ts';

/** A build and a case, as a form sends them, in bytes. */
const formBytesMax = dryBuildCharsMax * 4;

/** Browsers end the lines of forms with two characters. */
const lines = z.string().transform((text) => text.replaceAll('\r\n', '\n'));
const revisionNumber = revisionParams.shape.revision;
const positionText = z.string().regex(/^\d{0,5}$/);

const editorForm = z.strictObject({
  text: lines.pipe(z.string().max(caseCharsMax)),
  form: caseTextSchema.shape.form,
  revision: revisionNumber,
  newest: revisionNumber,
  at: positionText,
  reference: positionText.default(''),
  build: lines.pipe(z.string().max(dryBuildCharsMax)).default(''),
  do: z.enum(['check', 'dry-run', 'save']).default('check'),
});
type EditorForm = z.infer<typeof editorForm>;

export const caseEditorPages: FastifyPluginAsyncZod<{ parts: AppParts }> = async (app, { parts }) => {
  const { authoring, suites, submissions, caseChecks } = parts;
  const { database } = authoring;
  const config = { roles: ['author'] as const };
  const suiteParams = z.strictObject({ suite: slugSchema });
  const ofRevision = z.strictObject({ revision: revisionNumber.optional() });

  /** The page with what was written, and what became of it. */
  async function show(
    request: FastifyRequest,
    reply: FastifyReply,
    name: RevisionName,
    given: Pick<CaseEditorView, 'replaces' | 'written'> & Partial<CaseEditorView>,
  ) {
    const { csrf } = visitOf(request);
    const { references, cases } = await suites.open(name);
    const { revisions } = await findSuite(database, name.suite);
    const replaced = cases[given.replaces?.position ?? cases.length];
    const view: CaseEditorView = {
      suite: name.suite,
      base: await describeRevision(database, name),
      newest: revisions[0]?.revision ?? name.revision,
      hasCode: replaced !== undefined && hasFunctions(replaced),
      references,
      chosen: { reference: '', build: '' },
      found: undefined,
      ran: undefined,
      refused: undefined,
      overtaken: undefined,
      csrf,
      ...given,
    };
    const title = view.replaces === undefined ? `New case of ${name.suite}` : `A case of ${name.suite}`;
    return showPage(
      request,
      reply,
      { title, here: 'suites', scripts: ['case-editor'] },
      caseEditorPage(view),
    );
  }

  /** The revision that is asked for, or the newest. */
  async function baseOf(suite: string, revision: number | undefined): Promise<RevisionName> {
    const { revisions } = await findSuite(database, suite);
    return { suite, revision: revision ?? revisions[0]?.revision ?? 0 };
  }

  app.get(
    '/suites/:suite/cases/new',
    { config, schema: { params: suiteParams, querystring: ofRevision } },
    async (request, reply) => {
      const reader = readerOf(request);
      requireSuite(reader, request.params.suite);
      const name = await baseOf(request.params.suite, request.query.revision);
      // The page names its references.
      await appendAudit(database, { by: reader.tokenId, action: 'revision.read', about: name });
      const written = { text: newCaseText, form: 'yaml' as const };
      return show(request, reply, name, { replaces: undefined, written });
    },
  );

  app.get(
    '/suites/:suite/cases/:position/edit',
    {
      config,
      schema: {
        params: suiteParams.extend({ position: z.coerce.number().int().min(0).max(100_000) }),
        querystring: ofRevision,
      },
    },
    async (request, reply) => {
      const reader = readerOf(request);
      const { suite, position } = request.params;
      requireSuite(reader, suite);
      const name = await baseOf(suite, request.query.revision);
      const replaces = caseAt(await suites.open(name), position);
      await appendAudit(database, { by: reader.tokenId, action: 'revision.read', about: name });
      return show(request, reply, name, { replaces, written: caseAsText(replaces.testCase) });
    },
  );

  app.post(
    '/suites/:suite/cases',
    { config, bodyLimit: formBytesMax, schema: { params: suiteParams, body: editorForm } },
    async (request, reply) => {
      const reader = readerOf(request);
      const { suite } = request.params;
      requireSuite(reader, suite);
      const form = request.body;
      const name = { suite, revision: form.revision };
      const contents = await suites.open(name);
      const replaces = replacedBy(form, contents);
      const given = {
        replaces,
        written: { text: form.text, form: form.form },
        chosen: { reference: form.reference, build: form.build },
      };
      if (form.do === 'dry-run') {
        const ran = await dryRun(suite, contents, form, reader.tokenId);
        return show(request, reply, name, { ...given, ran });
      }
      const found = await check(suite, contents, form, reader.tokenId);
      if (form.do === 'check' || found.findings.length > 0) {
        return show(request, reply.code(form.do === 'check' ? 200 : 422), name, { ...given, found });
      }
      try {
        const edit = { ...given.written, ...amongOf(form, contents), newest: form.newest };
        const made = await editCase(authoring, suite, edit, reader);
        const { activeRevision } = await findSuite(database, suite);
        const from = activeRevision ?? form.revision;
        return reply.redirect(`/ui/suites/${suite}/compare?from=${from}&to=${made.revision}`, 303);
      } catch (error) {
        if (!(error instanceof SuiteError)) throw error;
        if (error.code !== 'revision_overtaken' && error.code !== 'suite_invalid') throw error;
        const again =
          error.code === 'suite_invalid' ? undefined : await overtaken(name, replaces?.name, reader.tokenId);
        const answer = { ...given, found, refused: error.message, ...again };
        const status = again === undefined ? 422 : 409;
        return show(request, reply.code(status), again === undefined ? name : again.name, answer);
      }
    },
  );

  app.post(
    '/suites/:suite/cases/check',
    { config, schema: { params: suiteParams, body: editorForm } },
    async (request, reply) => {
      const reader = readerOf(request);
      const { suite } = request.params;
      requireSuite(reader, suite);
      const contents = await suites.open({ suite, revision: request.body.revision });
      const found = await check(suite, contents, request.body, reader.tokenId);
      return reply.type('text/html; charset=utf-8').send(`${await caseFindings(found)}`);
    },
  );

  app.post(
    '/suites/:suite/cases/dry-run',
    { config, bodyLimit: formBytesMax, schema: { params: suiteParams, body: editorForm } },
    async (request, reply) => {
      const reader = readerOf(request);
      const { suite } = request.params;
      requireSuite(reader, suite);
      const contents = await suites.open({ suite, revision: request.body.revision });
      const ran = await dryRun(suite, contents, request.body, reader.tokenId);
      return reply.type('text/html; charset=utf-8').send(`${await dryRunResults(ran)}`);
    },
  );

  function check(suite: string, contents: SuiteContents, form: EditorForm, by: string) {
    const { text, form: written } = form;
    return caseChecks.check(suite, { text, form: written, ...amongOf(form, contents) }, by);
  }

  async function dryRun(
    suite: string,
    contents: SuiteContents,
    form: EditorForm,
    by: string,
  ): Promise<DryRunAnswer> {
    const reference = form.reference === '' ? undefined : contents.references[Number(form.reference)]?.name;
    const { text, form: written, build } = form;
    const on = build.trim() === '' ? { reference } : { build };
    const asked = dryRunRequestSchema.parse({ text, form: written, ...amongOf(form, contents), ...on });
    try {
      return await submissions.dryRun(authoring, suite, asked, by);
    } catch (error) {
      if (error instanceof GateError) return { refused: error.message };
      throw error;
    }
  }

  /** What somebody made meanwhile, and where what was written goes then. */
  async function overtaken({ suite, revision: from }: RevisionName, called: string | undefined, by: string) {
    const { revisions } = await findSuite(database, suite);
    const to = revisions[0]?.revision ?? from;
    await appendAudit(database, { by, action: 'revision.read', about: { suite, revision: to } });
    const { made } = await findRevisionHistory(database, suite);
    const [before, after] = await Promise.all(
      [from, to].map(async (revision) => {
        const { cases } = await suites.open({ suite, revision });
        return cases.find(({ name }) => name === called);
      }),
    );
    const texts = [before, after].map((each) => (each === undefined ? '' : caseAsText(each).text));
    const [was = '', is = ''] = texts;
    const name = { suite, revision: to };
    const { cases } = await suites.open(name);
    const position = cases.findIndex((each) => each.name === called);
    return {
      name,
      replaces: called === undefined || position === -1 ? undefined : { name: called, position },
      overtaken: {
        from,
        to,
        person: made.get(to)?.person,
        changed: called === undefined || was === is ? undefined : { before: was, after: is },
      },
    };
  }
};

/** The case at a position. Throws `case_not_found`. */
function caseAt({ suite, cases }: SuiteContents, position: number) {
  const testCase = cases[position];
  if (testCase !== undefined) return { name: testCase.name, position, testCase };
  throw new RequestError('case_not_found', `suite ${suite} has no case ${position} in that revision`);
}

function replacedBy({ at }: EditorForm, contents: SuiteContents) {
  return at === '' ? undefined : caseAt(contents, Number(at));
}

/** The revision and the case's place there, as they are asked with. */
function amongOf(form: EditorForm, contents: SuiteContents) {
  const replaces = replacedBy(form, contents)?.name;
  return { revision: form.revision, ...(replaces === undefined ? {} : { replaces }) };
}
