/**
 * What differs between two texts, by line, and within lines that changed by word. Pure, and bounded: texts in which too much differs have
 * no diff, because none would help.
 */
import { diffArrays, diffWordsWithSpace } from 'diff';

export type DiffLine = {
  kind: 'same' | 'before' | 'after';
  parts: { text: string; isChanged: boolean }[];
};

/** So many lines, or words of a line, may have to be taken out and put in to make one of the other. */
const linesEditedMax = 300;
const wordsEditedMax = 120;

/** Where less than this share of two lines is alike, they are told whole, because a patchwork is harder to read. */
const alikeMin = 0.3;

/** The lines of both texts, in one order; undefined where the texts are too unlike each other. */
export function diffLines(before: string, after: string): DiffLine[] | undefined {
  const [gone, come] = [before.split('\n'), after.split('\n')];
  const changes = diffArrays(gone, come, { maxEditLength: linesEditedMax });
  if (changes === undefined) return undefined;
  const lines: DiffLine[] = [];
  let removed: string[] = [];
  const takeRemoved = () => {
    lines.push(...removed.map((text): DiffLine => whole('before', text)));
    removed = [];
  };
  for (const change of changes) {
    if (change.removed) removed = change.value;
    else if (change.added) {
      lines.push(...replaced(removed, change.value));
      removed = [];
    } else {
      takeRemoved();
      lines.push(...change.value.map((text): DiffLine => whole('same', text, false)));
    }
  }
  takeRemoved();
  const hasCommon = lines.some(({ parts }) =>
    parts.some(({ text, isChanged }) => !isChanged && /\w/.test(text)),
  );
  const isShort = gone.length === 1 && come.length === 1;
  return hasCommon || isShort ? lines : undefined;
}

function whole(kind: DiffLine['kind'], text: string, isChanged = true): DiffLine {
  return { kind, parts: [{ text, isChanged }] };
}

/** Lines that stand in place of others, with the words that changed: as many as there were each follow the one that they replace. */
function replaced(before: string[], after: string[]): DiffLine[] {
  const pairs = before.map((text, index) => wordsOf(text, after[index] ?? ''));
  const expected = pairs.map(([parts]): DiffLine => ({ kind: 'before', parts }));
  const observed = after.map((text, index): DiffLine => {
    const [, parts] = pairs[index] ?? [];
    return parts === undefined ? whole('after', text) : { kind: 'after', parts };
  });
  if (before.length !== after.length) return [...expected, ...observed];
  return expected.flatMap((line, index) => [line, observed[index] ?? []].flat());
}

function wordsOf(before: string, after: string): [DiffLine['parts'], DiffLine['parts']] {
  const changes = diffWordsWithSpace(before, after, { maxEditLength: wordsEditedMax });
  const alike = changes?.filter(({ added, removed }) => !added && !removed) ?? [];
  const alikeLength = alike.reduce((sum, { value }) => sum + value.trim().length, 0);
  const length = Math.max(before.trim().length, after.trim().length);
  if (changes === undefined || alikeLength < length * alikeMin) {
    return [[{ text: before, isChanged: true }], [{ text: after, isChanged: true }]];
  }
  const side = (other: 'added' | 'removed') =>
    changes
      .filter((change) => !change[other])
      .map(({ value, added, removed }) => ({ text: value, isChanged: added || removed }));
  return [side('added'), side('removed')];
}
