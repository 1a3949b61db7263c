/**
 * What CI says of the tests that the change's author sees, in any of three forms, as two counts. It is hearsay: whoever sends a candidate
 * may send this too, so it decides nothing, is told as what CI said, and is read with bounds on everything.
 */
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { GateError } from './errors.ts';
import { testsMax, type VisibleReport, type VisibleTests, visibleTestsSchema } from './visible-report.ts';

/** Suites within suites, cases and what they hold: no report nests deeper. */
const depthMax = 32;

/** The counts of a report; skipped tests are not among them. Throws `visible_tests_unreadable`. */
export function countVisibleTests(report: VisibleReport): VisibleTests {
  if ('junit' in report) return countJunit(report.junit);
  if ('ctrf' in report) {
    const { passed, failed, other } = report.ctrf.results.summary;
    return requireCounts(passed, passed + failed + other);
  }
  return report;
}

const parser = new XMLParser({
  // An array for each element: a name such as `__proto__` is a value like any other, and nothing recurses.
  preserveOrder: true,
  processEntities: false,
  parseTagValue: false,
  jPath: false,
  maxNestedTags: depthMax,
});

function countJunit(xml: string): VisibleTests {
  if (hasDoctype(xml)) throw unreadable('it has a document type, which no report needs');
  // The parser takes what is cut off for whole.
  const valid = XMLValidator.validate(xml);
  if (valid !== true) throw unreadable(`it is no well-formed XML at line ${valid.err.line}`);
  let nodes: unknown;
  try {
    nodes = parser.parse(xml);
  } catch (cause) {
    throw unreadable(`its XML is nested more than ${depthMax} deep, or has names that no report has`, {
      cause,
    });
  }
  const root = elementsOf(nodes).find(([name]) => name === 'testsuites' || name === 'testsuite');
  if (root === undefined) throw unreadable('its root is neither testsuites nor testsuite');
  let [passed, total] = [0, 0];
  const suites = [root];
  for (let suite = suites.pop(); suite !== undefined; suite = suites.pop()) {
    for (const element of elementsOf(suite[1])) {
      if (element[0] === 'testsuite') suites.push(element);
      if (element[0] !== 'testcase') continue;
      const outcomes = elementsOf(element[1]).map(([name]) => name);
      if (outcomes.includes('skipped')) continue;
      total++;
      if (!outcomes.includes('failure') && !outcomes.includes('error')) passed++;
    }
  }
  return requireCounts(passed, total);
}

/** The elements among an element's children, each with its own. The parser gives each as an object of its name alone, or with attributes. */
function elementsOf(children: unknown): [name: string, children: unknown][] {
  if (!Array.isArray(children)) return [];
  return children.flatMap((node) =>
    Object.entries(node)
      .filter(([name, value]) => Array.isArray(value) && !/^[?#:]/.test(name))
      .slice(0, 1),
  );
}

/** Whether there is a document type before the root: it stands after nothing but declarations, comments and spaces. */
function hasDoctype(xml: string): boolean {
  let rest = xml.replace(/^\uFEFF/, '').trimStart();
  for (;;) {
    const end = rest.startsWith('<?') ? '?>' : rest.startsWith('<!--') ? '-->' : undefined;
    const at = end === undefined ? -1 : rest.indexOf(end);
    if (end === undefined || at === -1) return /^<!doctype/i.test(rest);
    rest = rest.slice(at + end.length).trimStart();
  }
}

function requireCounts(passed: number, total: number): VisibleTests {
  const counts = visibleTestsSchema.safeParse({ passed, total });
  if (counts.success) return counts.data;
  throw unreadable(`it tells of more than ${testsMax} tests`);
}

function unreadable(why: string, options?: ErrorOptions): GateError {
  return new GateError('visible_tests_unreadable', why, options);
}
