/** What Piscina runs on a host's thread: the task that the host was bundled with, without permissions once it is loaded. */
import { run as runTask, warm as warmTask } from '#task';
import { dropPermissions } from './drop-permissions.ts';

export function warm(isolateMb: number): void {
  warmTask(isolateMb);
  dropPermissions();
}

export function run(job: unknown): unknown {
  return runTask(job);
}
