/** Small wordings that the texts of several commands share. */

export function counted(cases: number): string {
  return `${cases} ${cases === 1 ? 'case' : 'cases'}`;
}

export function numbered(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

export function lines(texts: string[], none: string): string {
  return texts.length === 0 ? none : texts.join('\n');
}

/** A share in percent to three digits, rounded up: what is claimed is never less than what is proved. */
export function percent(share: number): string {
  if (share === 0) return '0%';
  const unit = 10 ** (Math.floor(Math.log10(share * 100)) - 2);
  // A share that has few digits keeps them, whatever the division made of it.
  const units = Number(((share * 100) / unit).toPrecision(9));
  return `${Number((Math.ceil(units) * unit).toPrecision(3))}%`;
}
