/** Answers a request with a page. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Html } from './html.ts';
import { layout, type PageHead } from './layout.ts';
import { visitOf } from './signed-in.ts';

/** Sends a page around this content; where nobody is signed in, without the navigation. */
export async function showPage(
  request: FastifyRequest,
  reply: FastifyReply,
  head: PageHead,
  content: Html,
): Promise<FastifyReply> {
  const visit = request.session === null || request.reader === null ? null : visitOf(request);
  const page = await layout(head, visit, content);
  return reply.type('text/html; charset=utf-8').send(`${page}`);
}
