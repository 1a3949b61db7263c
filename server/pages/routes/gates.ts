/** `/ui/` and `/ui/gates`: the gates that the reader may see, and how they stand. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { listAlarms } from '../../../gate/alarms.ts';
import { hearsInSlots } from '../../../gate/disclosure/disclosure.ts';
import { findGate } from '../../../gate/policies.ts';
import { findStandings, listStandings, type StandingReader } from '../../../gate/standing.ts';
import { slugSchema } from '../../../suites/suite.ts';
import { readerOf, requireGate } from '../../access.ts';
import type { AppParts } from '../../app.ts';
import type { Reader } from '../../tokens.ts';
import { gatePage } from '../gate-page.ts';
import { overviewPage } from '../overview-page.ts';
import { showPage } from '../show-page.ts';
import { stripMax } from '../verdict-strip.ts';

/** So many alarms are shown, and none that is older, in milliseconds. */
const alarmsMax = 5;
const alarmMs = 7 * 24 * 60 * 60 * 1_000;

export const gatePages: FastifyPluginAsyncZod<{ parts: AppParts }> = async (app, { parts }) => {
  const { database } = parts.authoring;
  const config = { roles: ['author', 'lead'] as const };
  const viewOf = (reader: Reader): StandingReader => ({
    ...reader,
    slotMs: hearsInSlots(reader) ? parts.slotMs : undefined,
  });

  app.get('/', { config }, async (request, reply) => {
    const reader = readerOf(request);
    const now = new Date();
    const [standings, alarms] = await Promise.all([
      listStandings(database, viewOf(reader), { verdictsMax: stripMax, now }),
      listAlarms(database, reader, alarmsMax),
    ]);
    const recent = alarms.filter(({ raisedAt }) => Date.parse(raisedAt) > now.getTime() - alarmMs);
    const content = overviewPage({ standings, alarms: recent });
    return showPage(request, reply, { title: 'Overview', here: 'overview' }, content);
  });

  app.get(
    '/gates/:gate',
    { config, schema: { params: z.strictObject({ gate: slugSchema }) } },
    async (request, reply) => {
      const reader = readerOf(request);
      requireGate(reader, request.params.gate);
      const gate = await findGate(database, request.params.gate);
      const view = viewOf(reader);
      const [standing] = await findStandings(database, [gate], view, {
        verdictsMax: stripMax,
        now: new Date(),
      });
      if (standing === undefined) throw new Error(`nothing is known of the gate ${gate.gate}`);
      const address = `${request.protocol}://${request.host}`;
      return showPage(request, reply, { title: gate.gate, here: 'overview' }, gatePage(standing, address));
    },
  );
};
