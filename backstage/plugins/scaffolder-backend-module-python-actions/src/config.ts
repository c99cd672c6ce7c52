import { RootConfigService } from '@backstage/backend-plugin-api';
import { Config, readDurationFromConfig } from '@backstage/config';
import { HumanDuration, durationToMilliseconds } from '@backstage/types';

export interface ServiceConfig {
  name: string;
  baseUrl: string;
  audience: string;
  actionsFile?: string;
}

export interface RetryConfig {
  attempts: number;
  firstDelayMs: number;
}

export interface PythonActionsConfig {
  services: ServiceConfig[];
  retry: RetryConfig;
  idleTimeoutMs: number;
  startupWaitMs: number;
  refreshInterval: HumanDuration;
}

export function readPythonActionsConfig(
  root: RootConfigService,
): PythonActionsConfig {
  const config = root.getOptionalConfig('pythonActions');
  const duration = (key: string, fallback: HumanDuration): HumanDuration =>
    config?.has(key) ? readDurationFromConfig(config, { key }) : fallback;
  const attempts = config?.getOptionalNumber('attempts') ?? 8;
  if (!Number.isInteger(attempts) || attempts < 1) {
    throw new Error(
      `pythonActions.attempts must be a whole number from 1, got ${attempts}`,
    );
  }
  return {
    services: (config?.getOptionalConfigArray('services') ?? []).map(
      readService,
    ),
    retry: {
      attempts,
      firstDelayMs: durationToMilliseconds(
        duration('firstRetryDelay', { seconds: 1 }),
      ),
    },
    idleTimeoutMs: durationToMilliseconds(
      duration('idleTimeout', { seconds: 30 }),
    ),
    startupWaitMs: durationToMilliseconds(
      duration('startupWait', { seconds: 30 }),
    ),
    refreshInterval: duration('refreshInterval', { seconds: 30 }),
  };
}

function readService(config: Config): ServiceConfig {
  const baseUrl = config.getString('baseUrl');
  if (!/^https?:\/\//.test(baseUrl) || !URL.canParse(baseUrl)) {
    throw new Error(
      `pythonActions.services: baseUrl must start with http:// or https://, got '${baseUrl}'`,
    );
  }
  return {
    name: config.getString('name'),
    baseUrl: baseUrl.replace(/\/+$/, ''),
    audience: config.getString('audience'),
    actionsFile: config.getOptionalString('actionsFile'),
  };
}
