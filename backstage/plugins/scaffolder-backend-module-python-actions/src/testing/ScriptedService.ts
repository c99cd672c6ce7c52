import { once } from 'node:events';
import {
  IncomingMessage,
  Server,
  ServerResponse,
  createServer,
} from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { Exchange } from './transcripts';

const runBody = z.strictObject({
  input: z.record(z.string(), z.json()),
  dryRun: z.boolean(),
  idempotencyKey: z.string().min(1),
  secrets: z.record(z.string(), z.string()),
});

export interface RecordedRun {
  path: string;
  authorization: string | undefined;
  body: z.infer<typeof runBody>;
  hungUp: boolean;
}

/** A real HTTP server on the loopback interface that answers as it was told. */
export class ScriptedService {
  readonly runs: RecordedRun[] = [];
  actions: unknown = { protocol: 1, revision: '0', actions: [] };
  private server: Server | undefined;
  private script: Exchange[] = [];

  static async start(port = 0): Promise<ScriptedService> {
    const service = new ScriptedService();
    await service.listen(port);
    return service;
  }

  play(script: Exchange[]): void {
    this.script = [...script];
  }

  get port(): number {
    const address = this.server?.address();
    if (!address || typeof address === 'string') {
      throw new Error('the service is not listening');
    }
    return address.port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async listen(port: number): Promise<void> {
    this.server = createServer((request, response) => {
      this.answer(request, response).catch(error => response.destroy(error));
    });
    this.server.listen(port, '127.0.0.1');
    await once(this.server, 'listening');
  }

  async stop(): Promise<void> {
    this.server?.closeAllConnections();
    await new Promise(resolve => this.server?.close(resolve));
  }

  private async answer(
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    if (request.method === 'GET') {
      response.end(JSON.stringify(this.actions));
      return;
    }
    let text = '';
    for await (const chunk of request) {
      text += chunk;
    }
    const run: RecordedRun = {
      path: request.url ?? '',
      authorization: request.headers.authorization,
      body: runBody.parse(JSON.parse(text)),
      hungUp: false,
    };
    this.runs.push(run);
    response.on('close', () => {
      run.hungUp = !response.writableFinished;
    });
    await this.playNext(response);
  }

  private async playNext(response: ServerResponse): Promise<void> {
    const exchange = this.script.shift();
    if (!exchange) {
      throw new Error('a connection that the script does not foresee');
    }
    if (exchange.status) {
      response.writeHead(exchange.status, {
        'content-type': 'application/x-ndjson',
      });
    }
    for (const line of exchange.lines) {
      await sleep(exchange.pauseMs);
      response.write(
        `${typeof line === 'string' ? line : JSON.stringify(line)}\n`,
      );
    }
    if (exchange.then === 'end') {
      response.end();
    } else if (exchange.then === 'close') {
      // What was written must leave before the connection breaks.
      await sleep(20);
      response.destroy();
    }
  }
}
