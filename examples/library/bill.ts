/**
 * What both builds of the library example do with currency.js: take an amount, apply some steps, tell the
 * result. It is shared so that the two builds differ in nothing but the release of the library they are
 * made with.
 */

type Options = {
  fromCents?: boolean;
  precision?: number;
  increment?: number;
  useVedic?: boolean;
  errorOnInvalid?: boolean;
  symbol?: string;
  separator?: string;
  decimal?: string;
};

type Money = {
  add(by: number | string): Money;
  subtract(by: number | string): Money;
  multiply(by: number | string): Money;
  divide(by: number | string): Money;
  distribute(count: number): Money[];
  format(): string;
  readonly intValue: number;
};

export type Currency = (amount: number | string, options?: Options) => Money;

export type Bill = {
  amount: number | string;
  options?: Options;
  steps?: { operation: 'add' | 'subtract' | 'multiply' | 'divide'; by: number | string }[];
  shares?: number;
};

export type Answer = { cents: number; text: string; shares?: number[] };

export function bill(currency: Currency, { amount, options, steps = [], shares }: Bill): Answer {
  let money = currency(amount, options);
  for (const { operation, by } of steps) {
    money = money[operation](by);
  }
  const answer = { cents: money.intValue, text: money.format() };
  return shares === undefined
    ? answer
    : { ...answer, shares: money.distribute(shares).map((part) => part.intValue) };
}
