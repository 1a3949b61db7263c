/** A short text that stands for what was observed, so that a host can be told what is usual without being told it at length. */
import { createHash } from 'node:crypto';

/** The digest of an observation's text, exactly as the host wrote it. */
export function digestOfObservation(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}
