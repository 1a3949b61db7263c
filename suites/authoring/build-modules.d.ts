/**
 * What `import right from 'build:./right.ts'` is in a suite's module: the text of a build. The command bundles that file with what it
 * imports, as it does the entry of a candidate, when it bundles the suite.
 */
declare module 'build:*' {
  const build: string;
  export default build;
}
