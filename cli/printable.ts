/** Text from elsewhere on its way to a terminal: what could move the cursor, hide or reorder text is shown as an escape. */

/** The text on one line, with control, format and lone surrogate characters written out. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) => {
    if (character === '\n') return '\\n';
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  });
}

/** The text cut to a width in characters, with an ellipsis where something is missing. */
export function clip(text: string, widthMax: number): string {
  const characters = [...text];
  return characters.length <= widthMax ? text : `${characters.slice(0, widthMax - 1).join('')}…`;
}

/** The text cut in its middle to a width in characters: its end often says more than its middle. */
export function clipMiddle(text: string, widthMax: number): string {
  const characters = [...text];
  if (characters.length <= widthMax) return text;
  const startLength = Math.floor((widthMax - 1) / 2);
  const end = characters.slice(characters.length - (widthMax - 1 - startLength));
  return `${characters.slice(0, startLength).join('')}…${end.join('')}`;
}
