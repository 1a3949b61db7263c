/** chai, which Vitest's matchers come with, makes an event target when it loads; a bare realm has none. Nobody listens. */
class SilentTarget {
  addEventListener(): void {}
  removeEventListener(): void {}
  dispatchEvent(): boolean {
    return true;
  }
}

class SilentEvent {}

if (!('EventTarget' in globalThis))
  Reflect.defineProperty(globalThis, 'EventTarget', { value: SilentTarget });
if (!('Event' in globalThis)) Reflect.defineProperty(globalThis, 'Event', { value: SilentEvent });
