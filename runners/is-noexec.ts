/**
 * Whether code in a folder can be loaded. What hosts load lies in the folder for temporary files, and on a mount that is `noexec` they
 * would end without a word.
 */
import { relative } from 'node:path';

/** As `/proc/self/mountinfo` (proc_pid_mountinfo(5)) says of an absolute path without links. */
export function isNoexec(path: string, mountinfo: string): boolean {
  let [longest, isLongest] = [-1, false];
  for (const line of mountinfo.split('\n')) {
    const [, , , , point, options] = line.split(' ');
    if (point === undefined || options === undefined) continue;
    const folder = point.replace(/\\([0-7]{3})/g, (_, octal) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    // The last of several at one place hides the others.
    if (relative(folder, path).split('/')[0] === '..' || folder.length < longest) continue;
    [longest, isLongest] = [folder.length, options.split(',').includes('noexec')];
  }
  return isLongest;
}
