/**
 * Makes the service start in half the time: it tells Node ahead where drizzle-orm's files are and that they are ES modules. To find
 * that out, Node 26 parses the package's list of exports, 170 KB of it, for each of 400 files anew. Import it before whatever
 * imports drizzle-orm.
 */
import { type ResolveFnOutput, registerHooks } from 'node:module';

const folder = '/node_modules/drizzle-orm/';
/** What of the package was asked for by name: there is one of it, whoever asks. */
const entries = new Map<string, ResolveFnOutput>();

registerHooks({
  resolve(specifier, context, next) {
    if (!context.conditions.includes('import')) return next(specifier, context);
    if (specifier.startsWith('.') && specifier.endsWith('.js') && context.parentURL?.includes(folder)) {
      return { url: new URL(specifier, context.parentURL).href, format: 'module', shortCircuit: true };
    }
    if (!/^drizzle-orm(?:\/|$)/.test(specifier)) return next(specifier, context);
    const entry = entries.get(specifier) ?? next(specifier, context);
    entries.set(specifier, entry);
    return { ...entry, shortCircuit: true };
  },
});
