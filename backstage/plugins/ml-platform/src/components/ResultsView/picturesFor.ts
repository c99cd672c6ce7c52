import { ResultFile } from '@internal/plugin-ml-platform-common';

const DARK = /-dark(?=\.[a-z]+$)/i;

/** Without the other one of each pair that was drawn for light and for dark pages: `x.png` and `x-dark.png`. */
export function picturesFor(
  mode: 'light' | 'dark',
  pictures: ResultFile[],
): ResultFile[] {
  const paths = new Set(pictures.map(({ path }) => path));
  const darkOnes = [...paths].filter(
    path => DARK.test(path) && paths.has(path.replace(DARK, '')),
  );
  const lightOnes = darkOnes.map(path => path.replace(DARK, ''));
  const others = new Set(mode === 'light' ? darkOnes : lightOnes);
  return pictures.filter(({ path }) => !others.has(path));
}
