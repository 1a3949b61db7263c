/** A case in a process of its own: the candidate's script and the input come as arguments, the output goes to standard output. */
import { runInThisContext } from 'node:vm';

const [, , script = '', input = ''] = process.argv;
const candidate: { run(input: unknown): unknown } = runInThisContext(`${script}; candidate`);
console.log(JSON.stringify(candidate.run(JSON.parse(input))));
