import { ReactNode } from 'react';
import { Box } from '@backstage/ui';

/**
 * Tells BUI that it stands on a surface. The form's card is drawn by Material UI, of which BUI knows
 * nothing; without this, inputs would be white on white.
 */
export function FieldSurface({ children }: { children: ReactNode }) {
  return <Box bg="neutral">{children}</Box>;
}
