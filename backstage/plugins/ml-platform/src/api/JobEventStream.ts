import {
  JobEvent,
  jobEventSchema,
  readServerSentEvents,
} from '@internal/plugin-ml-platform-common';

const RETRY_MS = 3_000;

/** One connection to the events for all that listen; it is open while somebody does. */
export class JobEventStream {
  readonly #listeners = new Set<(event: JobEvent) => void>();
  #connection?: AbortController;
  #lastId?: string;

  constructor(
    private readonly open: (
      lastId: string | undefined,
      signal: AbortSignal,
    ) => Promise<Response>,
  ) {}

  watch(listener: (event: JobEvent) => void): () => void {
    this.#listeners.add(listener);
    if (!this.#connection) {
      this.#connection = new AbortController();
      this.#follow(this.#connection.signal);
    }
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) {
        this.#connection?.abort();
        this.#connection = undefined;
      }
    };
  }

  async #follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const response = await this.open(this.#lastId, signal);
        if (response.ok && response.body) {
          await this.#deliver(response.body);
        }
      } catch {
        // Pages ask again every few seconds themselves, so a lost stream only makes them slower.
      }
      await new Promise(resolve => setTimeout(resolve, RETRY_MS));
    }
  }

  async #deliver(body: ReadableStream<Uint8Array>): Promise<void> {
    for await (const message of readServerSentEvents(body)) {
      this.#lastId = message.id ?? this.#lastId;
      const event = jobEventSchema.parse(JSON.parse(message.data));
      this.#listeners.forEach(listener => listener(event));
    }
  }
}
