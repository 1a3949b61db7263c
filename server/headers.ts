/** The headers that tell a browser to do nothing with our answers but show them. */
import type { FastifyHelmetOptions } from '@fastify/helmet';

/** For every answer: nothing of it is loaded, framed or run. */
export const headers: FastifyHelmetOptions = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      'default-src': ["'none'"],
      'base-uri': ["'none'"],
      'form-action': ["'none'"],
      'frame-ancestors': ["'none'"],
    },
  },
  xFrameOptions: { action: 'deny' },
  // Other names below this one are not ours to decide on.
  strictTransportSecurity: { includeSubDomains: false },
};

/** For the pages at `/docs`: their own files alone, and requests to this service. */
export const documentPolicy = {
  'default-src': "'none'",
  'script-src': "'self'",
  'style-src': "'self'",
  'img-src': "'self' data:",
  'connect-src': "'self'",
  'base-uri': "'none'",
  'form-action': "'none'",
  'frame-ancestors': "'none'",
};

/** For our own pages: their own style, scripts and forms, and nothing that a page could have been made to hold. */
export const pageHeaders: FastifyHelmetOptions = {
  ...headers,
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      'default-src': ["'none'"],
      'script-src': ["'self'"],
      'style-src': ["'self'"],
      'img-src': ["'self'", 'data:'],
      'connect-src': ["'self'"],
      'base-uri': ["'none'"],
      'form-action': ["'self'"],
      'frame-ancestors': ["'none'"],
    },
  },
  // With none at all, browsers would not say where a form comes from.
  referrerPolicy: { policy: 'same-origin' },
};
