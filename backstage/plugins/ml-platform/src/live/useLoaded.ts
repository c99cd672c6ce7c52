import { useCallback, useEffect, useRef, useState } from 'react';

export interface Loaded<T> {
  value?: T;
  error?: Error;
  isLoading: boolean;
  /** Asks again; what is shown stays until the answer is there. */
  reload(): void;
}

/**
 * Loads a value, again whenever `load` changes (give it a stable function) and at each `reload`.
 * Reloads that come while one is under way are answered by one more.
 */
export function useLoaded<T>(load: () => Promise<T>): Loaded<T> {
  const [state, setState] = useState<{ value?: T; error?: Error }>({});
  const current = useRef<{
    load: () => Promise<T>;
    busy: boolean;
    again: boolean;
  }>();

  const run = useCallback(async (of: NonNullable<typeof current.current>) => {
    if (of.busy) {
      of.again = true;
      return;
    }
    of.busy = true;
    do {
      of.again = false;
      try {
        const value = await of.load();
        if (current.current === of) setState({ value });
      } catch (error) {
        const problem =
          error instanceof Error ? error : new Error(String(error));
        if (current.current === of)
          setState(old => ({ ...old, error: problem }));
      }
    } while (of.again && current.current === of);
    of.busy = false;
  }, []);

  useEffect(() => {
    const mine = { load, busy: false, again: false };
    current.current = mine;
    setState({});
    run(mine);
    return () => {
      current.current = undefined;
    };
  }, [load, run]);

  const reload = useCallback(() => {
    if (current.current) run(current.current);
  }, [run]);

  return {
    ...state,
    isLoading: state.value === undefined && state.error === undefined,
    reload,
  };
}
