import { HumanDuration } from '@backstage/types';

export interface Config {
  /** Python services whose actions can be used in software templates. */
  pythonActions?: {
    services: Array<{
      /** Names the service in logs and on task pages. */
      name: string;
      /** Address before `/v1/actions`, for example http://127.0.0.1:7008. */
      baseUrl: string;
      /** The `aud` of the tokens that the service accepts. It must be the id of an installed backend plugin. */
      audience: string;
      /**
       * File with an answer of `GET /v1/actions`, used until the service has answered for the
       * first time. With it, the portal can be started before the service.
       */
      actionsFile?: string;
    }>;
    /** A run in which the service sends no line for this long counts as broken. Default: 30 seconds. */
    idleTimeout?: HumanDuration | string;
    /** How often a run is tried before its step fails. Default: 8. */
    attempts?: number;
    /** Pause before the second try; it doubles from try to try, up to 30 seconds. Default: 1 second. */
    firstRetryDelay?: HumanDuration | string;
    /**
     * How long the scaffolder waits for a service of which it knows no action yet.
     * Default: 30 seconds.
     */
    startupWait?: HumanDuration | string;
    /** How often the services are asked for changed actions. Default: 30 seconds. */
    refreshInterval?: HumanDuration | string;
  };
}
