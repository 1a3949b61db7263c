/** What a table of kills says about cases: which of them nobody would miss, and which are enough. Pure. */

/** Cases by their index. */
export type CaseWorth = {
  /** Those that kill nothing. */
  idle: number[];
  /** Those that kill something, but nothing that another does not kill as well. Each of them may go; not all of them at once. */
  redundant: number[];
  /** A set of cases that kills all that is killed, and of which none may go. The smallest that was found. */
  smallest: number[];
};

/** From the cases that kill each mutant. */
export function worthOfCases(caseCount: number, killedBy: number[][]): CaseWorth {
  const kills: number[][] = Array.from({ length: caseCount }, () => []);
  for (const [mutant, killers] of killedBy.entries()) for (const one of killers) kills[one]?.push(mutant);
  const isNeeded = new Set(killedBy.flatMap((killers) => (killers.length === 1 ? killers : [])));
  const all = kills.map((_, index) => index);
  return {
    idle: all.filter((index) => kills[index]?.length === 0),
    redundant: all.filter((index) => kills[index]?.length !== 0 && !isNeeded.has(index)),
    smallest: withoutNeedless(greedyCover(kills, killedBy), kills, killedBy).sort(
      (one, other) => one - other,
    ),
  };
}

/** Each time the case that kills most of what is left. Chvátal, A greedy heuristic for the set-covering problem, 1979. */
function greedyCover(kills: number[][], killedBy: number[][]): number[] {
  const left = kills.map(({ length }) => length);
  const isCovered = killedBy.map(() => false);
  const chosen: number[] = [];
  for (;;) {
    const most = left.reduce((best, count, index) => (count > (left[best] ?? 0) ? index : best), 0);
    if ((left[most] ?? 0) === 0) return chosen;
    chosen.push(most);
    for (const mutant of kills[most] ?? []) {
      if (isCovered[mutant]) continue;
      isCovered[mutant] = true;
      for (const killer of killedBy[mutant] ?? []) left[killer] = (left[killer] ?? 0) - 1;
    }
  }
}

/** What was chosen early may have become needless by what was chosen later. */
function withoutNeedless(chosen: number[], kills: number[][], killedBy: number[][]): number[] {
  const kept = new Set(chosen);
  const killers = killedBy.map((all) => all.filter((one) => kept.has(one)).length);
  for (const one of chosen) {
    const own = kills[one] ?? [];
    if (own.some((mutant) => killers[mutant] === 1)) continue;
    kept.delete(one);
    for (const mutant of own) killers[mutant] = (killers[mutant] ?? 0) - 1;
  }
  return [...kept];
}
