import { useCallback, useEffect, useState } from 'react';
import { useApi } from '@backstage/frontend-plugin-api';
import {
  Dialog,
  DialogBody,
  DialogHeader,
  Skeleton,
  Text,
} from '@backstage/ui';
import { ResultFile } from '@internal/plugin-ml-platform-common';
import { jobApiRef } from '../../api';
import { words } from '../../format';
import { useLoaded } from '../../live';
import { Problem } from '../Problem';
import styles from './ResultPicture.module.css';

/** A picture; pressing it shows it large. */
export function ResultPicture(props: { jobId: string; file: ResultFile }) {
  const { jobId, file } = props;
  const api = useApi(jobApiRef);
  const [isOpen, setOpen] = useState(false);
  const picture = useLoaded(
    useCallback(
      () => api.resultFile(jobId, file.path),
      // A picture that is written again is another one.
      // eslint-disable-next-line react-hooks/exhaustive-deps
      [api, jobId, file.path, file.modified_at],
    ),
  );
  const address = useAddress(picture.value);
  // One drawn for dark pages has the name of the other.
  const title = words(file.path.replace(/(-dark)?\.[a-z]+$/i, ''));

  if (picture.error) {
    return <Problem what={file.path} error={picture.error} />;
  }
  if (!address) {
    return <Skeleton height={220} width="100%" />;
  }
  return (
    <figure className={styles.figure}>
      <button
        type="button"
        className={styles.open}
        aria-label={`Show ${title} large`}
        onClick={() => setOpen(true)}
      >
        <img src={address} alt={title} />
      </button>
      <Text as="p" variant="body-small" color="secondary">
        {title}
      </Text>
      <Dialog isOpen={isOpen} onOpenChange={setOpen} isDismissable width="90vw">
        <DialogHeader>{title}</DialogHeader>
        <DialogBody>
          <img className={styles.large} src={address} alt={title} />
        </DialogBody>
      </Dialog>
    </figure>
  );
}

function useAddress(blob: Blob | undefined): string | undefined {
  const [address, setAddress] = useState<string>();
  useEffect(() => {
    if (!blob) return undefined;
    const made = URL.createObjectURL(blob);
    setAddress(made);
    return () => URL.revokeObjectURL(made);
  }, [blob]);
  return address;
}
