/**
 * Collects what the realms of an isolate leave behind, between cases. Left to itself the engine copies each realm twice before it finds
 * that nobody needs it, because what is young is looked through as if all realms were still in use. Looked through as a whole while it
 * is young, and while none is in use, there is nothing to copy: a case takes a sixth less.
 */
import { setFlagsFromString } from 'node:v8';
import type ivm from 'isolated-vm';

/**
 * So many realms of a usual build are young at once in the memory that isolated-vm has for them. It would be more realms in more memory, but
 * builds that use much of it are slower then, and some no longer fit into what their isolate may take.
 */
const realmsMost = 3;

// Code that was not run between a few collections would be thrown away, and compiled anew when a case needs it.
setFlagsFromString('--no-flush-bytecode');

export class Collector {
  readonly #isolate: ivm.Isolate;
  #collectAll: (() => void) | undefined;
  #left = 0;

  constructor(isolate: ivm.Isolate) {
    this.#isolate = isolate;
  }

  /** Notes that another realm is left behind, and collects them if they are many. As `collect`. */
  leaveOne(): void {
    if (++this.#left >= realmsMost) this.collect();
  }

  /** Collects all. To be called while no foreign code runs. An isolate in which that fails is disposed of. */
  collect(): void {
    this.#left = 0;
    try {
      this.#collectAll ??= this.#make();
      this.#collectAll();
    } catch {
      if (!this.#isolate.isDisposed) this.#isolate.dispose();
    }
  }

  /** The engine's own function to collect all, in a realm of ours: no other has it, made before or after. */
  #make(): () => void {
    const script = this.#isolate.compileScriptSync('gc(); undefined');
    setFlagsFromString('--expose-gc');
    try {
      const own = this.#isolate.createContextSync();
      return () => script.runSync(own);
    } finally {
      setFlagsFromString('--no-expose-gc');
    }
  }
}
