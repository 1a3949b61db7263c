/**
 * Stands for a candidate that has broken V8 and isolated-vm: a program with everything that Node can do, and no permission
 * taken from it. It tries what walls must stop, and tells on standard output what it could; then it stays.
 */
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';

const [service = '', port = '', secret = '', writable = '', forks = ''] = process.argv.slice(2);

const attempts: [name: string, action: () => unknown][] = [
  ['read /etc/passwd', () => readFileSync('/etc/passwd')],
  ['read the data directory', () => readFileSync(secret)],
  ['write a file', () => writeFileSync(`${writable}/written`, 'x')],
  ['see the service', () => readFileSync(`/proc/${service}/stat`)],
  ['signal the service', () => process.kill(Number(service), 0)],
  ['have capabilities in a namespace of its own', () => execFileSync('/usr/bin/unshare', ['--user', 'true'])],
  ['choose its groups', () => process.setgroups?.([0])],
];

const could = attempts.flatMap(([name, action]) => {
  try {
    action();
    return [name];
  } catch {
    return [];
  }
});

const connected = await new Promise<boolean>((resolve) => {
  const socket = connect({ host: '127.0.0.1', port: Number(port) });
  socket.once('connect', () => resolve(true));
  socket.once('error', () => resolve(false));
});
if (connected) could.push('reach the network');

const denied = Array.from({ length: Number(forks) }, () => {
  // Out of the group, so that a signal to all of it passes them by.
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', 'holdback-escaped'], {
    detached: true,
    stdio: 'ignore',
  });
  child.once('error', () => {});
  child.unref();
  return child.pid === undefined;
});
if (!denied.includes(true)) could.push('start processes without end');

process.stdout.write(`${JSON.stringify({ could, uid: process.getuid?.() })}\n`);
process.stdin.resume();
