/** One message of a `text/event-stream`. */
export interface ServerSentEvent {
  id?: string;
  data: string;
}

/**
 * Reads a `text/event-stream` body message by message. Neither EventSource can be used here:
 * the browser's cannot send an Authorization header, and Node has none.
 */
export async function* readServerSentEvents(
  body: ReadableStream<Uint8Array>,
): AsyncGenerator<ServerSentEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let buffer = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        return;
      }
      buffer += decoder.decode(value, { stream: true }).replace(/\r/g, '');
      for (
        let end = buffer.indexOf('\n\n');
        end >= 0;
        end = buffer.indexOf('\n\n')
      ) {
        const message = parseMessage(buffer.slice(0, end));
        buffer = buffer.slice(end + 2);
        if (message) {
          yield message;
        }
      }
    }
  } finally {
    await reader.cancel().catch(() => {}); // Already broken: nothing left to close.
  }
}

function parseMessage(text: string): ServerSentEvent | undefined {
  let id: string | undefined;
  const data: string[] = [];
  for (const line of text.split('\n')) {
    const [, field, value] = /^([a-z]+): ?(.*)$/.exec(line) ?? [];
    if (field === 'id') {
      id = value;
    } else if (field === 'data') {
      data.push(value);
    }
  }
  return data.length > 0 ? { id, data: data.join('\n') } : undefined;
}
