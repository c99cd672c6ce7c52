import { Readable } from 'stream';
import { pipeline } from 'stream/promises';
import { Response } from 'express';
import { Answer } from './JobService';

const CARRIED_HEADERS = [
  'content-type',
  'content-length',
  'content-disposition',
  'content-security-policy',
  'etag',
  'last-modified',
  'x-content-type-options',
];

/**
 * Answers with what the service answered: status, the headers that describe the body, and the body
 * piece by piece as it arrives, so that logs and events are seen when they happen.
 */
export async function carry(
  answer: Answer,
  client: Response,
  headers: Record<string, string> = {},
): Promise<void> {
  client.status(answer.status);
  for (const name of CARRIED_HEADERS) {
    const value = answer.headers.get(name);
    // fetch has decoded the body, so the length of the encoded one would be wrong.
    const stale =
      name === 'content-length' && answer.headers.has('content-encoding');
    if (value !== null && !stale) {
      client.setHeader(name, value);
    }
  }
  // Compression gathers small pieces and would hold events and log lines back.
  const caching = answer.headers.get('cache-control') ?? 'no-store';
  client.setHeader('cache-control', `${caching}, no-transform`);
  client.setHeader('x-accel-buffering', 'no');
  for (const [name, value] of Object.entries(headers)) {
    client.setHeader(name, value);
  }
  client.flushHeaders();
  if (!answer.body) {
    client.end();
    return;
  }
  await pipeline(Readable.fromWeb(answer.body), client);
}

/** Aborts when the client goes away, so that the service stops too. */
export function untilClosed(client: Response): AbortSignal {
  const controller = new AbortController();
  client.once('close', () => controller.abort());
  return controller.signal;
}
