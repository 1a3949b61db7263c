/** What Piscina runs on a host's thread: the task that the host was bundled with, without permissions once it is loaded. */
import { run as runTask, warm as warmTask } from '#task';
import { dropPermissions } from './drop-permissions.ts';
import { Outbox, type OutboxMemory } from './outbox.ts';

let outbox: Outbox | undefined;

export function warm({ isolateMb, memory }: { isolateMb: number; memory: OutboxMemory }): void {
  outbox = new Outbox(memory);
  warmTask(isolateMb);
  dropPermissions();
}

export async function run(job: unknown): Promise<void> {
  if (outbox === undefined) throw new Error('a job came before the thread was warm');
  await runTask(job, outbox);
}
