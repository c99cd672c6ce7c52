import { Flex, Grid, Skeleton, Text } from '@backstage/ui';
import { useTheme } from '@material-ui/core/styles';
import { Job, Results } from '@internal/plugin-ml-platform-common';
import { figure, words } from '../../format';
import { useResults } from '../../live';
import { FactTable } from '../FactTable';
import { Problem } from '../Problem';
import { ResultDownload } from '../ResultDownload';
import { ResultPage } from '../ResultPage';
import { ResultPicture } from '../ResultPicture';
import { Section } from '../Section';
import { picturesFor } from './picturesFor';

/** What the training code has written for people: figures, pictures, pages and files. */
export function ResultsView({ job }: { job: Job }) {
  const results = useResults(job.id, job.state.final);
  return (
    <Section title="Results">
      {results.error && (
        <Problem
          what="the results"
          error={results.error}
          onRetry={results.reload}
        />
      )}
      {results.isLoading && <Skeleton height={160} width="100%" />}
      {results.value && <Shown job={job} results={results.value} />}
    </Section>
  );
}

function Shown({ job, results }: { job: Job; results: Results }) {
  const mode = useTheme().palette.type;
  const summary = Object.entries(results.summary ?? {});
  const { files } = results;
  const pictures = picturesFor(
    mode,
    files.filter(file => file.media_type.startsWith('image/')),
  );
  const pages = files.filter(file => file.media_type.startsWith('text/html'));
  if (summary.length === 0 && files.length === 0) {
    return (
      <Text color="secondary">
        {job.state.final
          ? 'The job wrote no results.'
          : 'Figures and pictures appear here when the job writes them.'}
      </Text>
    );
  }
  return (
    <Flex direction="column" gap="4">
      {summary.length > 0 && (
        <FactTable
          label="Summary"
          rows={summary.map(([name, value]) => [words(name), figure(value)])}
        />
      )}
      {pictures.length > 0 && (
        <Grid.Root
          columns={{ initial: '1', md: pictures.length > 1 ? '2' : '1' }}
          gap="4"
        >
          {pictures.map(file => (
            <ResultPicture key={file.path} jobId={job.id} file={file} />
          ))}
        </Grid.Root>
      )}
      {pages.map(file => (
        <ResultPage key={file.path} jobId={job.id} file={file} />
      ))}
      {files.length > 0 && (
        <Flex gap="2" style={{ flexWrap: 'wrap' }}>
          {files.map(file => (
            <ResultDownload key={file.path} jobId={job.id} file={file} />
          ))}
        </Flex>
      )}
    </Flex>
  );
}
