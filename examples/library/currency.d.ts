/**
 * The types of the two aliased releases of currency.js. They are needed because the package's own
 * declarations name the module 'currency.js' and so say nothing about an alias; they promise no more than
 * bill.ts uses.
 */

declare module 'currency-broken' {
  const currency: import('./bill.ts').Currency;
  export default currency;
}

declare module 'currency-fixed' {
  const currency: import('./bill.ts').Currency;
  export default currency;
}
