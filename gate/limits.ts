/** What readers are limited to: names of gates or of suites, or null for all of them. */

/** Whether a name is within the limits. */
export function isWithinLimits(limits: string[] | null, name: string): boolean {
  return limits === null || limits.includes(name);
}
