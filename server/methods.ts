/** Which methods the addresses of an application take, so that who uses another is told those instead of that nothing is there. */
import type { FastifyInstance } from 'fastify';

/** Answers the methods that a path takes, of the routes that are added from now on; none where nothing is there. */
export function collectMethods(app: FastifyInstance): (path: string) => string[] {
  const routes: { pattern: string[]; methods: string[] }[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    routes.push({ pattern: url.split('/'), methods: [method].flat() });
  });
  return (path) => {
    const parts = path.split('/');
    const taken = routes.filter(({ pattern }) => matches(pattern, parts)).flatMap(({ methods }) => methods);
    return [...new Set(taken)].toSorted();
  };
}

/** Whether a path is of a pattern: `:name` stands for any one part of it, and `*` at the end for all that follows. */
function matches(pattern: string[], parts: string[]): boolean {
  const isOpen = pattern.at(-1) === '*';
  if (isOpen ? parts.length < pattern.length : parts.length !== pattern.length) return false;
  return pattern.every(
    (part, at) =>
      part === parts[at] || (part.startsWith(':') && parts[at] !== '') || (isOpen && part === '*'),
  );
}
