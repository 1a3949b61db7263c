/** `holdback gate …`: what a merge needs is set on the server, never by the pipeline that asks. */
import { z } from 'zod';
import { exposureSchema } from '../../gate/disclosure/disclosed.ts';
import {
  concurrencyMax,
  disclosures,
  type GatePolicyRequest,
  gatePolicySchema,
  gateSchema,
} from '../../gate/gate.ts';
import { slugSchema } from '../../suites/suite.ts';
import { type Client, connect, json } from '../client.ts';
import type { Command } from '../command.ts';

const answerSchema = gateSchema.loose();

/** The bounds that the service itself holds a policy to. */
const budget = { min: 0, max: 1_000_000 };

export const gateSetCommand: Command = {
  words: 'gate set',
  about:
    "Put a gate's policy in force. It replaces the whole policy: what is not given does not hold any more.",
  positionals: [{ name: 'NAME', about: 'The gate.' }],
  flags: {
    suite: { value: 'NAME', about: 'A suite that a merge needs.', repeatable: true },
    'attempts-per-change': { value: 'N', about: 'How many candidates of a change may be scored (20).' },
    'exposure-budget-bits': { value: 'N', about: 'How much the verdicts may teach about a case.' },
    disclosure: { value: 'WHAT', about: `What ci and harness may learn: ${disclosures.join(', ')}.` },
    concurrency: { value: 'N', about: 'How many of its scores may run at once.' },
    'minimum-strength': {
      value: 'SHARE',
      about:
        "What share of a good reference's mutants a revision must kill before it is activated, as 80% or 0.8.",
    },
    'override-approvals': { value: 'N', about: 'How many people must agree to override a block: 1 or 2.' },
    review: { about: 'A second person must approve a revision before it is activated.' },
    'public-badges': { about: 'Show its badge and the picture of its trend to everybody.' },
  },
  async run(given) {
    const gate = slugSchema.safeParse(given.requiredPositional(0));
    if (!gate.success) throw given.wrong(`NAME: ${gate.error.issues[0]?.message}`);
    if (!given.has('suite')) throw given.wrong('--suite is missing: a gate needs at least one suite');
    const policy = gatePolicySchema.safeParse({
      suites: given.texts('suite'),
      attemptsPerChange: given.number('attempts-per-change', { ...budget, min: 1, whole: true }),
      exposureBudgetBits: given.number('exposure-budget-bits', { ...budget, whole: false }),
      disclosure: given.text('disclosure'),
      minimumStrength: given.share('minimum-strength', { min: 0, max: 1 }),
      overrideApprovals: given.number('override-approvals', { min: 1, max: 2, whole: true }),
      review: given.has('review'),
      publicBadges: given.has('public-badges'),
      concurrency: given.number('concurrency', { min: 1, max: concurrencyMax, whole: true }),
    });
    if (policy.success)
      return { kind: 'gate', gate: await setGate(connect(given.environment), gate.data, policy.data) };
    const [issue] = policy.error.issues;
    const flag = { suites: '--suite', disclosure: '--disclosure' }[String(issue?.path[0])] ?? 'the policy';
    throw given.wrong(`${flag}: ${issue?.message}`);
  },
};

export const gateListCommand: Command = {
  words: 'gate list',
  about: 'List the gates with what they need.',
  positionals: [],
  flags: {},
  async run(given) {
    const schema = z.object({ gates: z.array(answerSchema) });
    return {
      kind: 'gates',
      ...(await connect(given.environment).ask({ method: 'GET', path: ['gates'] }, schema)),
    };
  },
};

export const gateExposureCommand: Command = {
  words: 'gate exposure',
  about: "Show how much disclosed verdicts may have taught about a gate's cases.",
  positionals: [{ name: 'NAME', about: 'The gate.' }],
  flags: {},
  async run(given) {
    const path = ['gates', given.requiredPositional(0), 'exposure'];
    return {
      kind: 'exposure',
      exposure: await connect(given.environment).ask({ method: 'GET', path }, exposureSchema.loose()),
    };
  },
};

/** Puts a policy in force. Throws CommandError. */
export function setGate(client: Client, gate: string, policy: GatePolicyRequest) {
  return client.ask({ method: 'PUT', path: ['gates', gate], body: json(policy) }, answerSchema);
}
