/** What pages are made of: text that `html` of `hono/html` has escaped. */
import type { html } from 'hono/html';

export type Html = ReturnType<typeof html>;
