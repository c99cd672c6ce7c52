import { useCallback, useMemo } from 'react';
import { useSearchParams } from 'react-router-dom';
import { JobFilter } from '../../api';

const NAMES = ['team', 'phase', 'owner', 'q', 'cursor'] as const;

/** The filter as the page's address has it, so that a filtered list can be linked to. */
export function useAddressFilter(): [JobFilter, (filter: JobFilter) => void] {
  const [search, setSearch] = useSearchParams();
  const text = search.toString();
  const filter = useMemo(() => {
    const found = new URLSearchParams(text);
    return Object.fromEntries(
      NAMES.map(name => [name, found.get(name) ?? undefined]),
    );
  }, [text]);
  const setFilter = useCallback(
    (next: JobFilter) => {
      const given = new URLSearchParams();
      NAMES.forEach(name => next[name] && given.set(name, next[name]));
      setSearch(given, { replace: true });
    },
    [setSearch],
  );
  return [filter, setFilter];
}
