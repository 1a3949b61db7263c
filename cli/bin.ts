#!/usr/bin/env node
/**
 * What npm installs as `holdback`. An older Node that starts it hands over to the Node 26 that the `node` package brings,
 * where that is installed beside it. So this file keeps to syntax that older releases can read.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const majorMin = 26;

if (isNewEnough(process.versions.node)) {
  await import('./main.ts');
} else {
  const node = findNode();
  if (node === null) {
    console.error(
      `holdback: this is Node ${process.versions.node}, and Node ${majorMin} is needed: npm install node@${majorMin} beside it, or start it with a newer Node`,
    );
    process.exitCode = 3;
  } else {
    handOver(node);
  }
}

function isNewEnough(version: string) {
  return Number(version.split('.')[0]) >= majorMin;
}

function findNode() {
  try {
    const description = createRequire(import.meta.url).resolve('node/package.json');
    if (!isNewEnough(JSON.parse(readFileSync(description, 'utf8')).version)) return null;
    return join(dirname(description), 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  } catch {
    return null;
  }
}

function handOver(node: string) {
  process.exitCode = 3;
  const main = fileURLToPath(new URL('./main.js', import.meta.url));
  const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
  const signals: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => console.error(`holdback: ${node} could not be started: ${error.message}`));
  child.on('exit', (code) => {
    process.exitCode = code === null ? 3 : code;
  });
}
