import { useEffect, useState } from 'react';
import { useApi } from '@backstage/frontend-plugin-api';
import { JobApiError, jobApiRef } from '../api';

const PAINT_MS = 100;
const REOPEN_MS = 3_000;
// Colours of a terminal, which a browser shows as rubbish.
// eslint-disable-next-line no-control-regex
const ANSI_CODES = /\u001b\[[0-9;]*[A-Za-z]/g;

export interface Log {
  lines: string[];
  error?: Error;
  isLoading: boolean;
}

/** One log of one attempt, growing while the job runs. */
export function useLog(id: string, source: string, attempt: number): Log {
  const api = useApi(jobApiRef);
  const [log, setLog] = useState<Log>({ lines: [], isLoading: true });

  useEffect(() => {
    const controller = new AbortController();
    let complete: string[] = [];
    let begun = '';
    const show = (more: Partial<Log> = {}) => {
      const lines = begun ? [...complete, begun] : complete;
      setLog({ lines, isLoading: false, ...more });
    };
    // Thousands of lines may come at once; each must not be a render.
    let timer: ReturnType<typeof setTimeout> | undefined;
    const onText = (text: string) => {
      const parts = (begun + text).split('\n');
      begun = parts.pop() ?? '';
      complete = complete.concat(
        parts.map(line => line.replace(ANSI_CODES, '')),
      );
      timer ??= setTimeout(() => {
        timer = undefined;
        show();
      }, PAINT_MS);
    };
    setLog({ lines: [], isLoading: true });
    let reopening: ReturnType<typeof setTimeout> | undefined;
    const follow = () => {
      complete = [];
      begun = '';
      api
        .log(id, {
          source,
          attempt,
          follow: true,
          signal: controller.signal,
          onText,
        })
        .then(() => show())
        .catch(error => {
          if (controller.signal.aborted) return;
          show({ error });
          if (!isFinalRefusal(error)) reopening = setTimeout(follow, REOPEN_MS);
        });
    };
    follow();
    return () => {
      controller.abort();
      clearTimeout(timer);
      clearTimeout(reopening);
    };
  }, [api, id, source, attempt]);

  return log;
}

/** A service that restarts breaks the stream, and a pod's log is not found until it has begun. */
function isFinalRefusal(error: unknown): boolean {
  return (
    error instanceof JobApiError && error.status < 500 && error.status !== 404
  );
}
