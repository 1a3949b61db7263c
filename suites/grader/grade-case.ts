/** Grades one case: each of its calls by its own expectation, and the requests that were made. The first that fails is told. */
import type { Grade } from './expectations.ts';
import type { GradedCall, GradedExchange, GradeItem } from './protocol.ts';
import { readScenarioObservation, type StepObservation } from './scenario-observation.ts';

/** Who answers for an expectation: `grade` compares with a declared one, `ask` asks the module's predicate about an output. */
export type Graders = {
  grade(expectation: string, observation: string): Grade;
  ask(call: GradedCall, output: string): Grade;
  relate(output: string, other: string): Grade;
};

const passed: Grade = { passed: true, message: '' };

function failed(message: string): Grade {
  return { passed: false, message };
}

/** How a case was graded: where one of its calls failed, `at` says which. */
export type CaseGrade = Grade & { at?: number };

/** Grades a case. Throws what the graders throw. */
export function gradeCase(item: GradeItem, graders: Graders): CaseGrade {
  const grade = gradeCalls(item, graders);
  return grade.passed === true && item.relation !== null ? gradeRelation(item, graders) : grade;
}

function gradeCalls({ calls, exchanges, observation }: GradeItem, graders: Graders): CaseGrade {
  if (exchanges === null) {
    const [call] = calls;
    if (call === undefined) return failed('the case calls nothing');
    const grade = gradeOnly(call, observation, graders);
    return grade.passed === true ? grade : { ...grade, at: 0 };
  }
  const observed = readScenarioObservation(observation, { steps: calls.length, exchanges: exchanges.length });
  if (observed === undefined) return failed('what was observed of its steps cannot be read');
  for (const [index, call] of calls.entries()) {
    const step = observed.steps[index] ?? { outcome: 'not_called', detail: 'nothing is known of it' };
    const grade = gradeStep(call, step, graders);
    if (grade.passed !== true) return { ...failed(`${call.label}${grade.message}`), at: index };
  }
  return gradeRequests(exchanges, observed.requests);
}

function gradeOnly(call: GradedCall, observation: string, graders: Graders): Grade {
  if (call.expect === 'any') return passed;
  if (call.expect === 'predicate') return graders.ask(call, observation);
  return declaredOf(call, observation, graders);
}

function gradeRelation({ exchanges, relation }: GradeItem, { relate }: Graders): Grade {
  if (relation === null) return failed('the case has no relation');
  if (exchanges === null) return relate(relation.output, relation.other);
  const returned: string[] = [];
  for (const text of [relation.output, relation.other]) {
    const observed = readScenarioObservation(text, { steps: 1, exchanges: exchanges.length });
    const [step] = observed?.steps ?? [];
    if (observed === undefined || step === undefined) return failed('what was observed cannot be read');
    if (step.outcome === 'threw') return failed(`it ${toldThrown(step)}`);
    if (step.outcome !== 'returned') return failed('its output is missing');
    const grade = gradeRequests(exchanges, observed.requests);
    if (grade.passed !== true) return grade;
    returned.push(step.value);
  }
  const [output, other] = returned;
  return output === undefined || other === undefined
    ? failed('its output is missing')
    : relate(output, other);
}

function gradeStep(call: GradedCall, step: StepObservation, graders: Graders): Grade {
  if (step.outcome === 'not_called') return failed(`it could not be called: ${step.detail}`);
  if (call.expect === null) {
    if (step.outcome === 'done') return passed;
    return step.outcome === 'threw' ? failed(`it ${toldThrown(step)}`) : failed('it ended in no way known');
  }
  if (step.outcome === 'done') return failed('its output is missing');
  if (call.expect === 'any') return passed;
  if (call.expect !== 'predicate') return declaredOf(call, JSON.stringify(step), graders);
  if (step.outcome === 'threw') return failed(`it ${toldThrown(step)}`);
  return graders.ask(call, step.value);
}

function declaredOf({ expect }: GradedCall, observation: string, { grade }: Graders): Grade {
  if (typeof expect !== 'object' || expect === null) return failed('it requires nothing');
  return grade(expect.declared, observation);
}

function gradeRequests(exchanges: GradedExchange[], requests: number[]): Grade {
  for (const [index, { label, times }] of exchanges.entries()) {
    const made = requests[index];
    if (times !== null && made !== times)
      return failed(`${label} should be requested ${counted(times)}, but was ${counted(made ?? 0)}`);
  }
  return passed;
}

function counted(times: number): string {
  return times === 1 ? 'once' : `${times} times`;
}

const shownCharsMax = 500;

function toldThrown({ error: { name, message } }: Extract<StepObservation, { outcome: 'threw' }>): string {
  return `threw ${name.slice(0, shownCharsMax)}: ${message.slice(0, shownCharsMax)}`;
}
