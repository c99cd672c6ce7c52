import { Alert, Button } from '@backstage/ui';
import { JobApiError } from '../../api';

/** What went wrong, in the words of who refused, and what can be done. */
export function Problem(props: {
  what: string;
  error: Error;
  onRetry?: () => void;
}) {
  const { what, error, onRetry } = props;
  const { status, hint } =
    error instanceof JobApiError ? error : { status: 0, hint: undefined };
  const isDenied = status === 401 || status === 403;
  const title = isDenied ? `You may not see ${what}` : `Could not load ${what}`;
  return (
    <Alert
      role="alert"
      status={isDenied ? 'warning' : 'danger'}
      icon
      title={title}
      description={[error.message, hint].filter(Boolean).join(' – ')}
      customActions={
        onRetry &&
        !isDenied && (
          <Button size="small" variant="secondary" onPress={onRetry}>
            Try again
          </Button>
        )
      }
    />
  );
}
