/** A figure as people read it: 4 significant digits, no trailing zeros. */
export function figure(value: unknown, unit?: string | null): string {
  return [text(value), unit].filter(Boolean).join(' ');
}

function text(value: unknown): string {
  if (value === null || value === undefined) return '–';
  if (typeof value === 'number') {
    return Number.isInteger(value)
      ? String(value)
      : String(Number(value.toPrecision(4)));
  }
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (Array.isArray(value)) return value.map(text).join(', ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** `simple_to_build` as `Simple to build`. */
export function words(name: string): string {
  const spaced = name.replace(/[_-]+/g, ' ').trim();
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

/** `1,234.50 USD`. */
export function money(amount: number, currency: string): string {
  const digits = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  return `${amount.toLocaleString('en', digits)} ${currency}`;
}

export function bytes(size: number): string {
  const units = ['B', 'kB', 'MB', 'GB'];
  const power = Math.min(Math.floor(Math.log10(Math.max(size, 1)) / 3), 3);
  return `${Number((size / 1000 ** power).toPrecision(3))} ${units[power]}`;
}

/** `user:default/ada` as `ada`. */
export function shortRef(ref: string): string {
  return ref.slice(ref.lastIndexOf('/') + 1);
}

/** A commit as Git's own tools name it, in as many digits everywhere. */
export function shortSha(sha: string): string {
  return sha.slice(0, 10);
}

/** `1 worker`, `4 workers`. */
export function counted(amount: number, thing: string): string {
  return `${amount} ${thing}${amount === 1 ? '' : 's'}`;
}
