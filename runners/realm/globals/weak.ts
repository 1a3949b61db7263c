/**
 * Weak references that do not show when garbage is collected, which differs from run to run. The language allows
 * an engine that never collects what a WeakRef refers to, and that never calls a registry back.
 */
const { apply, construct, defineProperty } = Reflect;
const NativeWeakRef = WeakRef;
const WeakMapOf = WeakMap;
const WeakSetOf = WeakSet;
const TypeErrorOf = TypeError;
const { set: weakMapSet } = WeakMapOf.prototype;
const { add: weakSetAdd, delete: weakSetDelete } = WeakSetOf.prototype;

/** The realm's `WeakRef`, changed so that each reference keeps its target for as long as it lives itself. */
export function keepTargets(): WeakRefConstructor {
  const targets = new WeakMapOf<WeakKey, unknown>();
  // Inherits nothing, or Object.prototype could be given a trap that is handed the engine's WeakRef.
  const handler = {
    __proto__: null,
    construct(native, args, newTarget) {
      const reference = construct(native, args, newTarget);
      apply(weakMapSet, targets, [reference, args[0]]);
      return reference;
    },
  } satisfies ProxyHandler<WeakRefConstructor> & { __proto__: null };
  const StrongWeakRef = new Proxy(NativeWeakRef, handler);
  defineProperty(NativeWeakRef.prototype, 'constructor', { value: StrongWeakRef });
  return StrongWeakRef;
}

/** Makes a `FinalizationRegistry` that checks its arguments, knows its tokens, and never calls back. */
export function createSilentRegistry(): FinalizationRegistryConstructor {
  return class<T> {
    readonly #tokens = new WeakSetOf<WeakKey>();

    constructor(cleanup: (held: T) => void) {
      if (typeof cleanup !== 'function')
        throw new TypeErrorOf('FinalizationRegistry: cleanup must be callable');
    }

    get [Symbol.toStringTag](): 'FinalizationRegistry' {
      return 'FinalizationRegistry';
    }

    register(target: WeakKey, held: T, token?: WeakKey): void {
      if (target === held)
        throw new TypeErrorOf('FinalizationRegistry.register: target and held value are the same');
      apply(weakSetAdd, new WeakSetOf(), [target]);
      if (token !== undefined) apply(weakSetAdd, this.#tokens, [token]);
    }

    unregister(token: WeakKey): boolean {
      apply(weakSetAdd, new WeakSetOf(), [token]);
      return apply(weakSetDelete, this.#tokens, [token]);
    }
  };
}
