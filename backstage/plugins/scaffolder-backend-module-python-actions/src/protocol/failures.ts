import {
  AuthenticationError,
  ConflictError,
  InputError,
  NotAllowedError,
  NotFoundError,
  NotImplementedError,
  NotModifiedError,
  ServiceUnavailableError,
} from '@backstage/errors';
import { Failure } from './messages';

const ERRORS = new Map(
  Object.entries({
    AuthenticationError,
    ConflictError,
    InputError,
    NotAllowedError,
    NotFoundError,
    NotImplementedError,
    NotModifiedError,
    ServiceUnavailableError,
  }),
);

const NAMES_BY_STATUS = new Map([
  [400, 'InputError'],
  [401, 'AuthenticationError'],
  [403, 'NotAllowedError'],
  [404, 'NotFoundError'],
  [409, 'ConflictError'],
  [422, 'InputError'],
]);

/** The service did not answer, or stopped answering. Trying again with the same key may help. */
export class ServiceUnreachableError extends Error {
  override name = 'ServiceUnreachableError';
}

/** The service answered something that the protocol does not know. */
export class ProtocolError extends Error {
  override name = 'ProtocolError';
}

export function isRetryable(problem: Failure): boolean {
  return (
    problem.retryable === true || problem.name === 'ServiceUnavailableError'
  );
}

export function nameForStatus(status: number): string {
  return NAMES_BY_STATUS.get(status) ?? 'PythonServiceError';
}

/** The sentence that the task page shows: field, what is wrong, and what to do. */
export function describeFailure({ field, message, hint }: Failure): string {
  const shortField = field?.replace(/^input\./, '');
  const place =
    shortField && !message.startsWith(shortField) ? `${shortField}: ` : '';
  const advice = hint ? ` Hint: ${hint}` : '';
  const stop = advice && !/[.!?]$/.test(message) ? '.' : '';
  return `${place}${message}${stop}${advice}`;
}

export function toBackstageError(problem: Failure): Error {
  const KnownError = ERRORS.get(problem.name);
  const message = describeFailure(problem);
  const error = KnownError ? new KnownError(message) : new Error(message);
  if (!KnownError) {
    error.name = problem.name;
  }
  // The task page prints the stack; ours says nothing about a failure in the service.
  error.stack = `${error.name}: ${message}`;
  return error;
}
