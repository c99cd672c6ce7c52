import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import {
  BROKEN_FILE,
  succeededJob,
  teams,
} from '@internal/plugin-ml-platform-common/fixtures';
import { JobApiError } from '../../api';
import { FakeJobApi, renderWithJobs } from '../../__testUtils__';
import { JobListPage } from './JobListPage';

describe('JobListPage', () => {
  it('lists jobs with state, result and a link to their page', async () => {
    renderWithJobs(<JobListPage />, new FakeJobApi());
    const row = await screen.findByRole('row', { name: /seed-seven/ });
    expect(within(row).getByText('Succeeded')).toBeInTheDocument();
    expect(within(row).getByText('0.0213')).toBeInTheDocument();
    expect(row).toHaveAttribute('data-href', `/jobs/${succeededJob.id}`);
    expect(screen.getByText('7 jobs')).toBeInTheDocument();
  });

  it('shows that it is loading', async () => {
    const api = new FakeJobApi();
    api.list = () => new Promise(() => {});
    renderWithJobs(<JobListPage />, api);
    expect(
      await screen.findByRole('status', { name: 'Loading jobs' }),
    ).toBeInTheDocument();
  });

  it('invites whoever has no jobs to start one', async () => {
    const api = new FakeJobApi();
    api.jobs = [];
    renderWithJobs(<JobListPage />, api);
    expect(
      await screen.findByRole('link', { name: 'Start your first job' }),
    ).toBeInTheDocument();
  });

  it('says what went wrong and tries again on demand', async () => {
    const api = new FakeJobApi();
    api.refusal = new JobApiError(503, 'The service does not answer');
    renderWithJobs(<JobListPage />, api);
    expect(await screen.findByRole('alert')).toHaveTextContent(
      'Could not load the jobs',
    );
    api.refusal = undefined;
    await userEvent.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await screen.findByText('seed-seven')).toBeInTheDocument();
    expect(screen.queryByRole('alert')).not.toBeInTheDocument();
  });

  it('tells who may not see jobs so, without asking them to try again', async () => {
    const api = new FakeJobApi();
    api.refusal = new JobApiError(403, 'not yours', 'ask an administrator');
    renderWithJobs(<JobListPage />, api);
    const alert = await screen.findByRole('alert');
    expect(alert).toHaveTextContent('You may not see the jobs');
    expect(alert).toHaveTextContent('ask an administrator');
    expect(screen.queryByRole('button', { name: 'Try again' })).toBeNull();
  });

  it('names what holds up the jobs of the user’s teams', async () => {
    const api = new FakeJobApi();
    renderWithJobs(<JobListPage />, api);
    expect(
      await screen.findByText('Jobs of Stellarator design are held up'),
    ).toBeInTheDocument();
    expect(screen.getByText(BROKEN_FILE)).toBeInTheDocument();
    expect(screen.getByRole('link', { name: 'Team’s page' })).toHaveAttribute(
      'href',
      '/catalog/default/group/stellarator-design',
    );
  });

  it('has no banner while nothing is held up', async () => {
    const api = new FakeJobApi();
    api.teamList = teams.map(team => ({ ...team, problems: [] }));
    renderWithJobs(<JobListPage />, api);
    expect(await screen.findByText('7 jobs')).toBeInTheDocument();
    expect(screen.queryByText(/held up/)).not.toBeInTheDocument();
  });

  it('shows the jobs that its address asks for', async () => {
    const api = new FakeJobApi();
    renderWithJobs(
      <JobListPage />,
      api,
      '/jobs?team=stellarator-design&phase=queued',
    );
    expect(await screen.findByText('2 jobs')).toBeInTheDocument();
    expect(
      screen.getByRole('button', { name: /Stellarator design/ }),
    ).toBeInTheDocument();
    expect(api.filters[0]).toMatchObject({
      team: 'stellarator-design',
      phase: 'queued',
    });
  });

  it('asks for what was typed and for the user’s own jobs', async () => {
    const api = new FakeJobApi();
    renderWithJobs(<JobListPage />, api);
    await userEvent.type(
      await screen.findByRole('searchbox', { name: 'Search jobs' }),
      'nothing-like-it',
    );
    expect(await screen.findByText('No job matches')).toBeInTheDocument();
    await userEvent.click(screen.getByRole('switch', { name: 'Only mine' }));
    await waitFor(() =>
      expect(api.filters.at(-1)).toMatchObject({
        q: 'nothing-like-it',
        owner: 'me',
      }),
    );
  });
});
