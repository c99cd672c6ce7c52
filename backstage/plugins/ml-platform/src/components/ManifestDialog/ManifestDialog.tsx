import { useCallback, useState } from 'react';
import { useSearchParams } from 'react-router-dom';
import { useApi } from '@backstage/frontend-plugin-api';
import {
  Button,
  Dialog,
  DialogBody,
  DialogHeader,
  Flex,
  Skeleton,
  Text,
} from '@backstage/ui';
import { Job } from '@internal/plugin-ml-platform-common';
import { jobApiRef } from '../../api';
import { clock, shortSha } from '../../format';
import { useLoaded } from '../../live';
import { Problem } from '../Problem';
import styles from './ManifestDialog.module.css';

/** The manifest as Git has it. `?show=manifest` opens it with the page. */
export function ManifestDialog({ job }: { job: Job }) {
  const [search] = useSearchParams();
  const [isOpen, setOpen] = useState(search.get('show') === 'manifest');
  return (
    <>
      <Button size="small" variant="secondary" onPress={() => setOpen(true)}>
        View manifest
      </Button>
      <Dialog isOpen={isOpen} onOpenChange={setOpen} isDismissable width={860}>
        <DialogHeader>Manifest of {job.name}</DialogHeader>
        <DialogBody>{isOpen && <Manifest job={job} />}</DialogBody>
      </Dialog>
    </>
  );
}

function Manifest({ job }: { job: Job }) {
  const api = useApi(jobApiRef);
  const text = useLoaded(
    useCallback(() => api.manifest(job.id), [api, job.id]),
  );
  const last = job.commits[job.commits.length - 1];
  // The one that put it where it is; the last has moved it there when it lies in the archive.
  const commit = job.path.startsWith('archive/') && last ? last : job.commit;
  return (
    <Flex direction="column" gap="3">
      <Text variant="body-small" color="secondary">
        {job.path} · commit {shortSha(commit.sha)} by {commit.author},{' '}
        {clock(commit.at)}
      </Text>
      {text.error && (
        <Problem what="the manifest" error={text.error} onRetry={text.reload} />
      )}
      {text.isLoading && <Skeleton height={240} width="100%" />}
      {text.value && (
        <pre
          className={styles.yaml} // A box that scrolls must be reachable by keyboard (WCAG 2.1.1).
          // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
          tabIndex={0}
          aria-label="Manifest"
        >
          {text.value}
        </pre>
      )}
    </Flex>
  );
}
