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
  const isDenied = isRefusal(status);
  const isMissing = status === 404;
  const title = titleOf(what, status);
  return (
    <Alert
      role="alert"
      status={isDenied || isMissing ? 'warning' : 'danger'}
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

function isRefusal(status: number): boolean {
  return status === 401 || status === 403;
}

function titleOf(what: string, status: number): string {
  if (isRefusal(status)) return `You may not see ${what}`;
  return status === 404
    ? `There is no ${what.replace(/^the /, '')}, or not yet`
    : `Could not load ${what}`;
}
