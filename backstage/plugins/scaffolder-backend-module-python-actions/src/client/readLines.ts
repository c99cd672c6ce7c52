/** Splits a stream of bytes into lines; the last line may lack its line feed. */
export async function* readLines(
  body: ReadableStream<Uint8Array>,
  maxLength: number,
): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of [...lines, rest]) {
      if (line.length > maxLength) {
        throw new RangeError(`a line is longer than ${maxLength} characters`);
      }
    }
    yield* lines;
  }
  rest += decoder.decode();
  if (rest) {
    yield rest;
  }
}
