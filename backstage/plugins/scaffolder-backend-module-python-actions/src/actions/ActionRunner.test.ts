import { mockServices } from '@backstage/backend-test-utils';
import { DefaultPythonServiceClient } from '../client';
import { ScriptedService } from '../testing/ScriptedService';
import { Transcript, readTranscripts } from '../testing/transcripts';
import { RetryingActionRunner } from './ActionRunner';

describe('the host of the actions protocol', () => {
  let service: ScriptedService;

  beforeAll(async () => {
    service = await ScriptedService.start();
  });
  afterAll(() => service.stop());
  beforeEach(() => {
    service.runs.length = 0;
  });

  async function run({ request, host }: Transcript) {
    const log: string[] = [];
    const cancellation = new AbortController();
    const note = (level: string) => (message: string) => {
      log.push(`${level} ${message}`);
      if (host.cancelAfter && message.startsWith(host.cancelAfter)) {
        cancellation.abort();
      }
    };
    const runner = RetryingActionRunner.create({
      name: 'example',
      client: DefaultPythonServiceClient.create({
        name: 'example',
        baseUrl: service.url,
        idleTimeoutMs: 500,
      }),
      retry: { attempts: 4, firstDelayMs: 5 },
    });
    const result = runner.run(
      {
        actionId: request.action,
        input: request.input,
        dryRun: request.dryRun,
        idempotencyKey: 'task/step/input',
        secrets: { password: 'open sesame' },
      },
      {
        getToken: async () => 'a-token',
        signal: cancellation.signal,
        logger: mockServices.logger.mock({
          info: note('info'),
          warn: note('warn'),
          error: note('error'),
        }),
      },
    );
    return { result, log };
  }

  function expectTheRequests({ request, host }: Transcript) {
    expect(service.runs).toHaveLength(host.connections);
    for (const connection of service.runs) {
      expect(connection).toMatchObject({
        path: `/v1/actions/${encodeURIComponent(request.action)}/run`,
        authorization: 'Bearer a-token',
        body: {
          input: request.input,
          dryRun: request.dryRun,
          idempotencyKey: 'task/step/input',
          secrets: { password: 'open sesame' },
        },
      });
    }
  }

  const expectedLog = ({ host }: Transcript) =>
    host.log?.map(line => expect.stringContaining(line)) ?? expect.anything();

  const transcripts = readTranscripts().map(
    transcript => [transcript.name, transcript] as const,
  );

  it.each(transcripts.filter(([, { host }]) => host.output))(
    'gives the output: %s',
    async (_name, transcript) => {
      service.play(transcript.service);
      const { result, log } = await run(transcript);
      await expect(result).resolves.toEqual(transcript.host.output);
      expect(log).toEqual(expectedLog(transcript));
      expectTheRequests(transcript);
    },
  );

  it.each(transcripts.filter(([, { host }]) => host.error))(
    'tells what went wrong: %s',
    async (_name, transcript) => {
      service.play(transcript.service);
      const { result, log } = await run(transcript);
      await expect(result).rejects.toMatchObject({
        name: transcript.host.error?.name,
        message: expect.stringContaining(transcript.host.error?.message ?? ''),
      });
      expect(log).toEqual(expectedLog(transcript));
      expectTheRequests(transcript);
    },
  );

  it('hangs up when the task is cancelled', async () => {
    const cancelled = transcripts.find(([name]) => name === 'cancelled');
    if (!cancelled) {
      throw new Error('the transcript is missing');
    }
    service.play(cancelled[1].service);
    const { result } = await run(cancelled[1]);
    await expect(result).rejects.toThrow('was cancelled');
    const [connection] = service.runs;
    while (!connection.hungUp) {
      await new Promise(setImmediate);
    }
  });

  it('refuses lines without end', async () => {
    service.play([
      { status: 200, lines: ['x'.repeat(1_100_000)], pauseMs: 0, then: 'hang' },
    ]);
    const { result } = await run({
      ...transcripts[0][1],
      host: { connections: 1 },
    });
    await expect(result).rejects.toThrow(
      'Service example: a line is longer than 1048576 characters',
    );
  });
});
