import { readServerSentEvents } from './readServerSentEvents';

function bodyOf(chunks: string[]): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    start(controller) {
      chunks.forEach(chunk => controller.enqueue(encoder.encode(chunk)));
      controller.close();
    },
  });
}

async function messagesOf(chunks: string[]) {
  const messages = [];
  for await (const message of readServerSentEvents(bodyOf(chunks))) {
    messages.push(message);
  }
  return messages;
}

describe('readServerSentEvents', () => {
  it('joins a message that arrives in pieces', async () => {
    expect(
      await messagesOf([
        'id: 7\nda',
        'ta: {"a":',
        '1}\n',
        '\nid: 8\ndata: x\n\n',
      ]),
    ).toEqual([
      { id: '7', data: '{"a":1}' },
      { id: '8', data: 'x' },
    ]);
  });

  it('skips comments, which only keep the connection open', async () => {
    expect(
      await messagesOf([': ping\n\n', 'data: a\ndata: b\r\n\r\n']),
    ).toEqual([{ id: undefined, data: 'a\nb' }]);
  });
});
