import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { Entity } from '@backstage/catalog-model';
import { EntityProvider } from '@backstage/plugin-catalog-react';
import {
  BROKEN_FILE,
  heldUpJob,
  preemptedJob,
  runningJob,
  teams,
} from '@internal/plugin-ml-platform-common/fixtures';
import { JobApiError } from '../../api';
import { FakeJobApi, renderWithJobs } from '../../__testUtils__';
import { EntityTeamCard } from './EntityTeamCard';

function groupNamed(name: string): Entity {
  return {
    apiVersion: 'backstage.io/v1alpha1',
    kind: 'Group',
    metadata: { name },
    spec: { type: 'team', children: [] },
  };
}

function renderCard(api: FakeJobApi, group = 'stellarator-design') {
  return renderWithJobs(
    <EntityProvider entity={groupNamed(group)}>
      <EntityTeamCard />
    </EntityProvider>,
    api,
  );
}

describe('EntityTeamCard', () => {
  let api: FakeJobApi;
  beforeEach(() => {
    api = new FakeJobApi();
  });

  it('shows what holds up the team, then what runs and waits, and why', async () => {
    renderCard(api);
    const jobs = await screen.findByRole('list', {
      name: 'Jobs of Stellarator design',
    });
    expect(
      screen.getByText('Jobs of Stellarator design are held up'),
    ).toBeInTheDocument();
    expect(screen.getAllByText(BROKEN_FILE)).toHaveLength(2);
    expect(within(jobs).getAllByRole('listitem')).toHaveLength(5);
    const waits = within(jobs)
      .getByRole('link', { name: preemptedJob.name })
      .closest('li')!;
    expect(waits).toHaveTextContent('Queued');
    expect(waits).toHaveTextContent(preemptedJob.state.reason!);
    expect(
      within(jobs).getByRole('link', { name: heldUpJob.name }),
    ).toHaveAttribute('href', `/jobs/${heldUpJob.id}`);
    expect(
      screen.getByRole('link', { name: 'All jobs of Stellarator design' }),
    ).toHaveAttribute('href', '/jobs?team=stellarator-design');
    expect(api.filters[0]).toMatchObject({ ended: false });
  });

  it('shows what is left of the month', async () => {
    renderCard(api);
    expect(
      await screen.findByText('Budget for November 2026'),
    ).toBeInTheDocument();
    const budget = screen.getByRole('group', {
      name: 'Budget of Stellarator design',
    });
    expect(budget).toHaveTextContent('2,000.00 USD');
    expect(budget).toHaveTextContent(
      '1,203.50 USD spent, 486.00 USD reserved for active jobs, 310.50 USD left',
    );
  });

  it('says by how much a month is spent more than once', async () => {
    const budget = { ...teams[0].budget!, amount: 1500, left: 0 };
    api.teamList = [{ ...teams[0], budget }];
    renderCard(api);
    expect(
      await screen.findByText(/189\.50 USD more than there is$/),
    ).toBeInTheDocument();
  });

  it('says nothing of money where the team has no budget', async () => {
    api.teamList = [{ ...teams[0], budget: null }];
    renderCard(api);
    expect(await screen.findByText('p1-quick')).toBeInTheDocument();
    expect(screen.queryByText(/^Budget/)).toBeNull();
  });

  it('finds the team by its group, however it is written', async () => {
    api.teamList = [
      { ...teams[0], name: 'sd', group: 'group:default/Stellarator-Design' },
    ];
    api.jobs = [{ ...runningJob, team: 'sd' }];
    renderCard(api);
    expect(
      await screen.findByRole('link', { name: 'p1-quick' }),
    ).toBeInTheDocument();
  });

  it('says how many jobs it does not show', async () => {
    api.jobs = Array.from({ length: 23 }, (_, number) => ({
      ...runningJob,
      id: `${runningJob.id}${number}`,
    }));
    renderCard(api);
    expect(await screen.findByText(/^3 more run or wait/)).toBeInTheDocument();
  });

  it('offers to start a job while none runs or waits', async () => {
    api.jobs = [];
    renderCard(api);
    expect(
      await screen.findByText('No job is running or waiting.'),
    ).toBeInTheDocument();
    expect(screen.getByRole('link', { name: 'Start a job' })).toBeVisible();
  });

  it('shows that it is loading, first the team, then its jobs', async () => {
    let answer = () => {};
    api.teams = () =>
      new Promise(resolve => {
        answer = () => resolve(teams);
      });
    api.list = () => new Promise(() => {});
    renderCard(api);
    expect(
      await screen.findByRole('status', { name: 'Loading the team' }),
    ).toBeInTheDocument();
    answer();
    expect(
      await screen.findByRole('status', { name: 'Loading jobs' }),
    ).toBeInTheDocument();
  });

  it('says what went wrong and tries again on demand', async () => {
    api.refusal = new JobApiError(503, 'The service does not answer');
    renderCard(api);
    expect(await screen.findByRole('alert')).toHaveTextContent(
      'Could not load the team',
    );
    api.refusal = undefined;
    await userEvent.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await screen.findByText('p1-quick')).toBeInTheDocument();
  });

  it('tells who is no member so, in the service’s words', async () => {
    renderCard(api, 'edge-plasma');
    const alert = await screen.findByRole('alert');
    expect(alert).toHaveTextContent('You may not see the jobs of Edge plasma');
    expect(alert).toHaveTextContent('you are no member of edge-plasma');
    expect(screen.queryByRole('button', { name: 'Try again' })).toBeNull();
  });

  it('says so on the page of a group that is no team', async () => {
    renderCard(api, 'gardeners');
    expect(
      await screen.findByText(/This group is no team of the ML platform/),
    ).toBeInTheDocument();
  });
});
