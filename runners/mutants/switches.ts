/**
 * What the instrumented text calls at every place that some mutant changes. These stand in for the functions that the instrumenter
 * would put there itself: in realms that are used once, its own take as long as the build they are in.
 *
 * The state of a realm is in its `__stryker__`, which the host puts there before the build loads, and reads when it has answered.
 */

/** Says how often each place is passed, and that no mutant is active. */
const covering = `const stryHits_=globalThis.__stryker__.hits;
function stryMutAct_9fa48(){return false}
function stryCov_9fa48(...ids){for(let at=0;at<ids.length;at++)stryHits_[ids[at]]=(stryHits_[ids[at]]||0)+1}`;

/** Says whether a mutant is the active one, and throws where it is passed so often that it loops without end. */
const mutating = `const stryState_=globalThis.__stryker__,stryActive_=stryState_.active;
function stryMutAct_9fa48(id){return id===stryActive_&&stryHit_()}
function stryHit_(){if(++stryState_.hits>stryState_.hitsMax)throw new Error('the mutated place is passed too often');return true}
function stryCov_9fa48(){}`;

/** The instrumented build in which no mutant is active, as the body of a CommonJS function. */
export function coveringScript(instrumented: string): string {
  return withSwitches(covering, instrumented);
}

/** The instrumented build in which one mutant is active, as the body of a CommonJS function. */
export function mutatingScript(instrumented: string): string {
  return withSwitches(mutating, instrumented);
}

/** The build is a function of its own, so that a directive at its beginning stays there. */
function withSwitches(switches: string, instrumented: string): string {
  return `${switches}\n(function(exports,module,require){${instrumented}\n}).call(this,exports,module,require)`;
}

/** Run in a realm before the covering build loads. */
export const openCovering = 'globalThis.__stryker__ = { hits: Object.create(null) }; undefined';

/** How often each place was passed, as `id:times,…`. */
export const readCovering = `(() => {
  let text = '';
  const { hits } = globalThis.__stryker__;
  for (const id in hits) text += id + ':' + hits[id] + ',';
  return text;
})()`;

/** Run in a realm before the mutating build loads. */
export function openMutating(id: string, hitsMax: number): string {
  return `globalThis.__stryker__ = { active: '${id}', hits: 0, hitsMax: ${hitsMax} }; undefined`;
}

/** Whether the active mutant looped without end. */
export const readMutating = '__stryker__.hits > __stryker__.hitsMax';
