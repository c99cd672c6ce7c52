import { useEffect } from 'react';

/** Calls `action` every `milliseconds` while the page can be seen; not at all when undefined. */
export function useRepeatedly(
  action: () => void,
  milliseconds: number | undefined,
): void {
  useEffect(() => {
    if (milliseconds === undefined) {
      return undefined;
    }
    const timer = setInterval(() => {
      if (!document.hidden) action();
    }, milliseconds);
    return () => clearInterval(timer);
  }, [action, milliseconds]);
}
