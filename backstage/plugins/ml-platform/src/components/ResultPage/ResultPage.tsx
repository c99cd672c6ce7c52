import { useCallback } from 'react';
import { useApi } from '@backstage/frontend-plugin-api';
import { Flex, Skeleton, Text } from '@backstage/ui';
import { ResultFile } from '@internal/plugin-ml-platform-common';
import { jobApiRef } from '../../api';
import { words } from '../../format';
import { useLoaded } from '../../live';
import { Problem } from '../Problem';
import styles from './ResultPage.module.css';

/**
 * A page that the training code wrote. Its scripts run without an origin: they reach neither the
 * portal nor the user's session. The backend's policy says the same for whoever opens it directly.
 */
export function ResultPage(props: { jobId: string; file: ResultFile }) {
  const { jobId, file } = props;
  const api = useApi(jobApiRef);
  const address = useLoaded(
    useCallback(
      () => api.previewUrl(jobId, file.path),
      [api, jobId, file.path],
    ),
  );
  const title = words(file.path.replace(/\.html?$/i, ''));
  if (address.error) {
    return <Problem what={file.path} error={address.error} />;
  }
  if (!address.value) {
    return <Skeleton height={420} width="100%" />;
  }
  return (
    <Flex direction="column" gap="1">
      <iframe
        key={file.modified_at}
        className={styles.page}
        title={title}
        src={address.value}
        sandbox="allow-scripts"
        loading="lazy"
      />
      <Text variant="body-small" color="secondary">
        {title}
      </Text>
    </Flex>
  );
}
