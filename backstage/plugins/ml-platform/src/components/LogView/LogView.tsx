import { useEffect, useRef, useState } from 'react';
import { useApi, toastApiRef } from '@backstage/frontend-plugin-api';
import { Button, Select, Text, ToggleButton } from '@backstage/ui';
import { Job, LogSource } from '@internal/plugin-ml-platform-common';
import { download } from '../../files';
import { useLog } from '../../live';
import { Problem } from '../Problem';
import { Section } from '../Section';
import styles from './LogView.module.css';

const MOST_LINES = 10_000;
const NEAR_END_PX = 24;

/** One of the job's logs; it follows the end until the reader scrolls up. */
export function LogView({ job }: { job: Job }) {
  const [pickedSource, setSource] = useState<LogSource>();
  const [pickedAttempt, setAttempt] = useState<number>();
  const sources = withPicked(job.log_sources, pickedSource);
  const source = pickedSource ?? sources[0];
  const hasAttempts = source.every_attempt && job.attempt > 0;
  const attempt = (hasAttempts ? pickedAttempt : undefined) ?? job.attempt;
  const { lines, error, isLoading } = useLog(job.id, source.name, attempt);
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
      `${job.id}-${source.name}-attempt-${attempt + 1}.log`,
    );

  return (
    <Section
      title="Log"
      actions={
        <>
          {sources.length > 1 && (
            <Select
              aria-label="Source"
              size="small"
              value={source.name}
              options={sources.map(({ name, title }) => ({
                value: name,
                label: title,
              }))}
              onChange={key =>
                setSource(sources.find(({ name }) => name === key))
              }
            />
          )}
          {hasAttempts && (
            <Select
              aria-label="Attempt"
              size="small"
              value={String(attempt)}
              options={Array.from({ length: job.attempt + 1 }, (_, number) => ({
                value: String(number),
                label: `Attempt ${number + 1}`,
              }))}
              onChange={key => setAttempt(Number(key))}
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
          aria-label={`Log of attempt ${attempt + 1}: ${source.title}`}
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

/** A pod that is gone stays in the choice of whoever reads its log. */
function withPicked(sources: LogSource[], picked?: LogSource): LogSource[] {
  const isThere = !picked || sources.some(({ name }) => name === picked.name);
  return isThere ? sources : [...sources, picked];
}
