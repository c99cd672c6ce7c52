import { serviceErrorSchema } from '@internal/plugin-ml-platform-common';

/** A refusal: its status, the sentence that says why and, if there is one, what to do about it. */
export class JobApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly hint?: string,
  ) {
    super(message);
    this.name = 'JobApiError';
  }

  static async fromResponse(response: Response): Promise<JobApiError> {
    const body = serviceErrorSchema.safeParse(
      await response.json().catch(() => undefined),
    );
    const { message, hint } = body.success
      ? body.data.error
      : { message: `The portal answered ${response.status}`, hint: undefined };
    return new JobApiError(response.status, message, hint ?? undefined);
  }
}
