import { act, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import {
  BROKEN_FILE,
  failedJob,
  heldUpJob,
  preemptedJob,
  queuedJob,
  runningJob,
  startingJob,
  succeededJob,
} from '@internal/plugin-ml-platform-common/fixtures';
import { FakeJobApi, renderWithJobs } from '../../__testUtils__';
import { JobView } from './JobView';

function formDataOf(link: HTMLElement) {
  const address = new URL(link.getAttribute('href') ?? '', 'http://portal');
  return JSON.parse(address.searchParams.get('formData') ?? '');
}

/** Chooses `option` of the drop-down list called `label`. */
async function pick(label: string, option: string) {
  await userEvent.click(
    screen.getByRole('button', { name: new RegExp(`${label}$`) }),
  );
  await userEvent.click(await screen.findByRole('option', { name: option }));
}

describe('JobView', () => {
  let api: FakeJobApi;
  beforeEach(() => {
    api = new FakeJobApi();
  });

  it('shows a running job: parameters, commit, log, figures', async () => {
    renderWithJobs(<JobView id={runningJob.id} />, api);
    expect(
      await screen.findByRole('heading', { name: 'p1-quick' }),
    ).toBeInTheDocument();
    expect(
      screen.getByText('Running', { selector: 'span[class*=badge]' }),
    ).toBeInTheDocument();
    expect(screen.getByRole('row', { name: 'Seed 7' })).toBeInTheDocument();
    expect(
      screen.getByRole('row', { name: 'Commit 4f2c9a7be1 by Guest' }),
    ).toBeInTheDocument();
    expect(await screen.findByRole('log')).toHaveTextContent('it goes on');
    await userEvent.click(
      await screen.findByRole('button', { name: 'Show as table' }),
    );
    expect(
      screen.getByRole('table', { name: 'Objective' }),
    ).toBeInTheDocument();
  });

  it('reads the log again after a broken connection', async () => {
    api.brokenLogs = 1;
    renderWithJobs(<JobView id={runningJob.id} />, api);
    const log = await screen.findByRole('log');
    await waitFor(() => expect(log).toHaveTextContent('it goes on'), {
      timeout: 10_000,
    });
    expect(log.textContent?.match(/begins/g)).toHaveLength(1);
  }, 20_000);

  it('says why a queued job waits, and at which step', async () => {
    renderWithJobs(<JobView id={queuedJob.id} />, api);
    expect(
      await screen.findByText(/Waits for 4 cores in pool laptop/),
    ).toBeInTheDocument();
    expect(
      screen.getByText('Admitted').closest('[aria-current=step]'),
    ).not.toBeNull();
  });

  it('counts no attempt of a job that was cancelled before it ran', async () => {
    const { state } = queuedJob;
    api.jobs = [
      { ...queuedJob, state: { ...state, phase: 'cancelled', final: true } },
    ];
    renderWithJobs(<JobView id={queuedJob.id} />, api);
    expect(
      await screen.findByRole('row', { name: 'Attempt none of 3' }),
    ).toBeInTheDocument();
  });

  it('says what a job has cost, when it has ended on machines with a price', async () => {
    renderWithJobs(<JobView id={succeededJob.id} />, api);
    expect(
      await screen.findByRole('row', { name: 'Cost 1,234.50 USD' }),
    ).toBeInTheDocument();
  });

  it('says why a job waits again, and that its road is ahead once more', async () => {
    renderWithJobs(<JobView id={preemptedJob.id} />, api);
    expect(
      await screen.findByText(/^Was preempted: .* needs 2 GPUs in gpu-l4-spot/),
    ).toBeInTheDocument();
    expect(screen.getByText(/^Queued since/)).toBeInTheDocument();
    const steps = screen.getByRole('list', { name: 'Steps of the job' });
    expect(within(steps).getByText('Cluster ready')).toBeInTheDocument();
    expect(
      within(steps).getByText('Admitted').closest('[aria-current=step]'),
    ).not.toBeNull();
  });

  it('names the file that holds up the folder of a job', async () => {
    renderWithJobs(<JobView id={heldUpJob.id} />, api);
    expect(await screen.findByText(BROKEN_FILE)).toBeInTheDocument();
    expect(screen.getByText(/^Submitted since/)).toBeInTheDocument();
  });

  it('has nothing to explain of a job that runs well, or has ended', async () => {
    renderWithJobs(<JobView id={runningJob.id} />, api);
    await screen.findByRole('heading', { name: 'p1-quick' });
    expect(screen.queryByText(/since/)).not.toBeInTheDocument();
  });

  it('offers the logs that the service says there are', async () => {
    renderWithJobs(<JobView id={startingJob.id} />, api);
    expect(await screen.findByRole('log')).toHaveTextContent(
      'job: attempt 1 begins',
    );
    await pick('Attempt', 'Attempt 1');
    expect(await screen.findByText(/job: attempt 0 begins/)).toBeVisible();
    await pick('Source', 'Worker 1');
    expect(await screen.findByText(/worker-1: attempt 1 begins/)).toBeVisible();
    // Only the newest attempt has pods.
    expect(screen.queryByRole('button', { name: /Attempt$/ })).toBeNull();
  });

  it('waits for the log of a pod that has not begun', async () => {
    api.refusedLogs.add('head');
    renderWithJobs(<JobView id={startingJob.id} />, api);
    await screen.findByRole('log');
    await pick('Source', 'Head');
    const alert = await screen.findByRole('alert');
    expect(alert).toHaveTextContent('There is no log, or not yet');
    expect(alert).toHaveTextContent('the head pod');
    api.refusedLogs.clear();
    expect(await screen.findByText(/head: attempt 1 begins/)).toBeVisible();
    expect(screen.queryByRole('alert')).not.toBeInTheDocument();
  }, 20_000);

  it('keeps the log that is being read when its pod goes', async () => {
    renderWithJobs(<JobView id={startingJob.id} />, api);
    await screen.findByRole('log');
    await pick('Source', 'Head');
    expect(await screen.findByText(/head: attempt 1 begins/)).toBeVisible();
    act(() =>
      api.change({
        ...startingJob,
        state: succeededJob.state,
        log_sources: runningJob.log_sources,
      }),
    );
    expect(await screen.findByText('Succeeded')).toBeInTheDocument();
    expect(screen.getByText(/head: attempt 1 begins/)).toBeVisible();
    expect(screen.getByRole('button', { name: /Head/ })).toBeInTheDocument();
  });

  it('has no choice of logs where there is one', async () => {
    renderWithJobs(<JobView id={runningJob.id} />, api);
    await screen.findByRole('log');
    expect(screen.queryByRole('button', { name: /Source$/ })).toBeNull();
  });

  it('shows the cause of a failure and what to do before all else', async () => {
    renderWithJobs(<JobView id={failedJob.id} />, api);
    const alert = await screen.findByRole('alert');
    expect(alert).toHaveTextContent('it used 2.0 GiB of 2 GiB');
    expect(alert).toHaveTextContent('Ask for more memory per worker');
  });

  it('shows results in a frame without an origin', async () => {
    renderWithJobs(<JobView id={succeededJob.id} />, api);
    const frame = await screen.findByTitle('Convergence');
    expect(frame).toHaveAttribute('sandbox', 'allow-scripts');
    expect(
      screen.getByRole('row', { name: 'Feasible yes' }),
    ).toBeInTheDocument();
  });

  it('offers to cancel only what has not ended, and to run again with the same form', async () => {
    renderWithJobs(<JobView id={runningJob.id} />, api);
    const cancel = await screen.findByRole('link', { name: 'Cancel job' });
    expect(formDataOf(cancel)).toEqual({ job_id: runningJob.id });
    const again = formDataOf(screen.getByRole('link', { name: 'Run again' }));
    expect(again).toMatchObject({
      training: { preset: 'quick', parameters: { seed: 7 } },
      parent: runningJob.id,
    });
    act(() =>
      api.change({
        ...runningJob,
        state: { ...succeededJob.state },
      }),
    );
    expect(await screen.findByText('Succeeded')).toBeInTheDocument();
    expect(screen.queryByRole('link', { name: 'Cancel job' })).toBeNull();
  });

  it('links the job that this one goes on from, and runs again from there', async () => {
    const job = {
      ...runningJob,
      spec: { ...runningJob.spec, resume_from: succeededJob.id },
    };
    api.change(job);
    renderWithJobs(<JobView id={job.id} />, api);
    expect(
      await screen.findByRole('row', {
        name: `Goes on from ${succeededJob.id}`,
      }),
    ).toBeInTheDocument();
    const again = formDataOf(screen.getByRole('link', { name: 'Run again' }));
    expect(again).toMatchObject({ resume_from: succeededJob.id });
  });

  it('shows the manifest', async () => {
    renderWithJobs(<JobView id={runningJob.id} />, api);
    await userEvent.click(
      await screen.findByRole('button', { name: 'View manifest' }),
    );
    expect(await screen.findByLabelText('Manifest')).toHaveTextContent(
      'kind: RayJob',
    );
  });

  it('calls parameters what the form calls them', async () => {
    const job = {
      ...runningJob,
      id: 'titles',
      spec: { ...runningJob.spec, parameters: { sigma: 0.05, unknown_one: 1 } },
    };
    api.jobs = [job];
    renderWithJobs(<JobView id={job.id} />, api);
    expect(
      await screen.findByRole('row', { name: 'Initial step 0.05' }),
    ).toBeInTheDocument();
    expect(
      screen.getByRole('row', { name: 'Unknown one 1' }),
    ).toBeInTheDocument();
  });

  it('names the commit that moved a manifest to the archive', async () => {
    const path = `archive/team/2026/${succeededJob.id}.yaml`;
    api.jobs = [{ ...succeededJob, path }];
    renderWithJobs(<JobView id={succeededJob.id} />, api, '/?show=manifest');
    expect(
      await screen.findByText(/ · commit 9b8a7c6d5e by ML Platform/),
    ).toBeInTheDocument();
  });

  it('leads back from a job that cannot be shown', async () => {
    renderWithJobs(<JobView id="nothing" isOwnPage />, api);
    await screen.findByRole('alert');
    expect(screen.getByRole('link', { name: /All jobs/ })).toHaveAttribute(
      'href',
      '/jobs',
    );
  });

  it('says that a job is not there, or not yet', async () => {
    renderWithJobs(<JobView id="nothing" />, api);
    expect(await screen.findByRole('alert')).toHaveTextContent(
      'There is no job nothing, or not yet',
    );
  });
});
