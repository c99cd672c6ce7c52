import { useState } from 'react';
import { useApi, toastApiRef } from '@backstage/frontend-plugin-api';
import { Button } from '@backstage/ui';
import { ResultFile } from '@internal/plugin-ml-platform-common';
import { jobApiRef } from '../../api';
import { download } from '../../files';
import { bytes } from '../../format';

export function ResultDownload(props: { jobId: string; file: ResultFile }) {
  const { jobId, file } = props;
  const api = useApi(jobApiRef);
  const toast = useApi(toastApiRef);
  const [isPending, setPending] = useState(false);
  const save = async () => {
    setPending(true);
    try {
      const name = file.path.slice(file.path.lastIndexOf('/') + 1);
      download(await api.resultFile(jobId, file.path), name);
    } catch (error) {
      toast.post({
        title: `Could not download ${file.path}`,
        description: error instanceof Error ? error.message : String(error),
        status: 'danger',
      });
    } finally {
      setPending(false);
    }
  };
  return (
    <Button
      size="small"
      variant="secondary"
      onPress={save}
      isPending={isPending}
    >
      {`Download ${file.path} (${bytes(file.size)})`}
    </Button>
  );
}
