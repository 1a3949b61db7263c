/**
 * What the service is measured against: one process that does the cases of a candidate in isolated-vm and nothing else, with the
 * same isolation, which is a fresh realm for each. It says `ready`, then reads one job and answers with one line.
 */
import { createInterface } from 'node:readline';
import ivm from 'isolated-vm';

const isolate = new ivm.Isolate({ memoryLimit: 128 });
console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const { script, inputs }: { script: string; inputs: string[] } = JSON.parse(line);
  const candidate = isolate.compileScriptSync(script);
  const outputs = inputs.map((input) => {
    const context = isolate.createContextSync();
    candidate.runSync(context);
    const output: unknown = context.evalSync(
      `JSON.stringify(candidate.run(JSON.parse(${JSON.stringify(input)})))`,
    );
    context.release();
    return output;
  });
  console.log(JSON.stringify(outputs));
}
