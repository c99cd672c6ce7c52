import { useEffect, useRef, useState } from 'react';
import { useApi, toastApiRef } from '@backstage/frontend-plugin-api';
import { Button, Select, Text, ToggleButton } from '@backstage/ui';
import { Job } from '@internal/plugin-ml-platform-common';
import { download } from '../../files';
import { useLog } from '../../live';
import { Problem } from '../Problem';
import { Section } from '../Section';
import styles from './LogView.module.css';

const MOST_LINES = 10_000;
const NEAR_END_PX = 24;

/** The log of one attempt; it follows the end until the reader scrolls up. */
export function LogView({ job }: { job: Job }) {
  const [picked, setPicked] = useState<number>();
  const attempt = picked ?? job.attempt;
  const { lines, error, isLoading } = useLog(job.id, attempt);
  const [isFollowing, setFollowing] = useState(true);
  const box = useRef<HTMLPreElement>(null);
  const toast = useApi(toastApiRef);
  const shown = lines.slice(-MOST_LINES);

  useEffect(() => {
    if (isFollowing && box.current) {
      box.current.scrollTop = box.current.scrollHeight;
    }
  }, [isFollowing, lines]);

  const copy = async () => {
    await navigator.clipboard.writeText(lines.join('\n'));
    toast.post({ title: 'Log copied', status: 'success', timeout: 3000 });
  };
  const save = () =>
    download(
      new Blob([lines.join('\n')], { type: 'text/plain' }),
      `${job.id}-attempt-${attempt + 1}.log`,
    );

  return (
    <Section
      title="Log"
      actions={
        <>
          {job.attempt > 0 && (
            <Select
              aria-label="Attempt"
              size="small"
              value={String(attempt)}
              options={Array.from({ length: job.attempt + 1 }, (_, number) => ({
                value: String(number),
                label: `Attempt ${number + 1}`,
              }))}
              onChange={key => setPicked(Number(key))}
            />
          )}
          <ToggleButton
            size="small"
            isSelected={isFollowing}
            onChange={setFollowing}
          >
            Follow
          </ToggleButton>
          <Button
            size="small"
            variant="secondary"
            onPress={copy}
            isDisabled={lines.length === 0}
          >
            Copy
          </Button>
          <Button
            size="small"
            variant="secondary"
            onPress={save}
            isDisabled={lines.length === 0}
          >
            Download
          </Button>
        </>
      }
    >
      {error && <Problem what="the log" error={error} />}
      {lines.length > MOST_LINES && (
        <Text variant="body-small" color="secondary">
          The last {MOST_LINES} of {lines.length} lines; the download has all.
        </Text>
      )}
      {lines.length > 0 ? (
        <pre
          ref={box}
          className={styles.log}
          // A box that scrolls must be reachable by keyboard (WCAG 2.1.1).
          // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
          tabIndex={0}
          role="log"
          aria-label={`Log of attempt ${attempt + 1}`}
          aria-live="off"
          onScroll={event => {
            const { scrollTop, scrollHeight, clientHeight } =
              event.currentTarget;
            setFollowing(scrollHeight - scrollTop - clientHeight < NEAR_END_PX);
          }}
        >
          {shown.join('\n')}
        </pre>
      ) : (
        !error && (
          <Text color="secondary">
            {isLoading && !job.state.final
              ? 'The log begins here as soon as the job runs.'
              : 'Nothing was written.'}
          </Text>
        )
      )}
    </Section>
  );
}
