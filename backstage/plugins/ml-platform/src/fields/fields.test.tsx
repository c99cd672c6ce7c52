import { ComponentProps, ComponentType, useState } from 'react';
import { screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import {
  workload,
  workloadWithoutImage,
} from '@internal/plugin-ml-platform-common/fixtures';
import { JobApiError } from '../api';
import { FakeJobApi, renderWithJobs } from '../__testUtils__';
import { PoolPicker } from './PoolPicker';
import { TeamPicker } from './TeamPicker';
import { WorkloadPicker } from './WorkloadPicker';

type Field = typeof PoolPicker | typeof TeamPicker | typeof WorkloadPicker;

describe('form fields', () => {
  let api: FakeJobApi;
  let value: unknown;
  beforeEach(() => {
    api = new FakeJobApi();
    value = undefined;
  });

  function Form(props: { field: Field; title: string }) {
    const [formData, setFormData] = useState<unknown>();
    value = formData;
    // The form hands over much more; these fields use only this.
    const Component = props.field as ComponentType<object>;
    const given: Partial<ComponentProps<typeof PoolPicker>> = {
      onChange: setFormData,
      schema: { title: props.title },
      required: true,
    };
    return <Component {...given} {...{ formData }} />;
  }

  it('begin with a workload that can be started, its first preset and defaults', async () => {
    renderWithJobs(<Form field={WorkloadPicker} title="Workload" />, api);
    expect(
      await screen.findByRole('textbox', { name: /Generations/ }),
    ).toHaveValue('5');
    expect(value).toEqual({
      workload: 'stellar_optimization',
      version: 'v1.0.0',
      preset: 'quick',
      parameters: {
        problem: 'geometrical',
        generations: 5,
        sigma: 0.05,
        seed: 1,
        plot: true,
      },
    });
  });

  it('take a parameter within the bounds of its schema, as a number', async () => {
    renderWithJobs(<Form field={WorkloadPicker} title="Workload" />, api);
    const sigma = await screen.findByRole('textbox', { name: /Initial step/ });
    expect(screen.getByText(/above 0, at most 1/)).toBeInTheDocument();
    await userEvent.clear(sigma);
    await userEvent.type(sigma, '0.0005');
    await userEvent.tab();
    await waitFor(() =>
      expect(value).toMatchObject({ parameters: { sigma: 0.0005 } }),
    );
  });

  it('leave a wrong number as it was typed, and say what is wrong with it', async () => {
    renderWithJobs(<Form field={WorkloadPicker} title="Workload" />, api);
    const rounds = await screen.findByRole('textbox', { name: /Generations/ });
    await userEvent.clear(rounds);
    expect(screen.getByText(/left empty, 5 is used/)).toBeInTheDocument();
    await userEvent.type(rounds, '2.7');
    await userEvent.tab();
    expect(rounds).toHaveValue('2.7');
    expect(rounds).toBeInvalid();
    expect(
      screen.getByText('must be a whole number, got 2.7'),
    ).toBeInTheDocument();
    expect(value).toMatchObject({ parameters: { generations: 2.7 } });
  });

  it('take a number in scientific notation', async () => {
    renderWithJobs(<Form field={WorkloadPicker} title="Workload" />, api);
    const sigma = await screen.findByRole('textbox', { name: /Initial step/ });
    await userEvent.clear(sigma);
    await userEvent.type(sigma, '1e-3');
    expect(value).toMatchObject({ parameters: { sigma: 0.001 } });
    expect(sigma).toBeValid();
  });

  it('say that a preset asks for more workers than there are', async () => {
    api.poolList = api.poolList.map(pool => ({ ...pool, max_workers: 2 }));
    api.workloadList = [
      { ...workload, presets: [...workload.presets].reverse() },
    ];
    renderWithJobs(<Form field={WorkloadPicker} title="Workload" />, api);
    expect(
      await screen.findByText(
        'Thorough asks for 8 workers, no pool that is available takes more than 2 workers',
      ),
    ).toBeInTheDocument();
  });

  it('say how to build an image when there is none', async () => {
    api.workloadList = [workloadWithoutImage];
    renderWithJobs(<Form field={WorkloadPicker} title="Workload" />, api);
    expect(
      await screen.findByText('ml-platform build edge_turbulence v1.0.0'),
    ).toBeInTheDocument();
  });

  it('show price and capacity of pools, and why one cannot be chosen', async () => {
    renderWithJobs(<Form field={PoolPicker} title="Pool" />, api);
    expect(
      await screen.findByRole('radio', { name: 'This machine' }),
    ).toBeChecked();
    expect(screen.getByText(/6 cores free now/)).toBeInTheDocument();
    expect(screen.getByText('$0.85 per worker and hour')).toBeInTheDocument();
    expect(
      screen.getByRole('radio', { name: 'NVIDIA L4, 1 GPU per worker' }),
    ).toBeDisabled();
    expect(
      screen.getByText(/This machine has no NVIDIA L4/),
    ).toBeInTheDocument();
    expect(value).toBe('laptop');
  });

  it('choose the user’s only team', async () => {
    renderWithJobs(<Form field={TeamPicker} title="Team" />, api);
    await waitFor(() => expect(value).toBe('stellarator-design'));
    expect(screen.queryByText('Edge plasma')).toBeNull();
    expect(
      await screen.findByText(/^310\.50 USD of 2026-11 are left/),
    ).toBeInTheDocument();
  });

  it('say what went wrong and offer to try again', async () => {
    api.refusal = new JobApiError(503, 'The service does not answer');
    renderWithJobs(<Form field={PoolPicker} title="Pool" />, api);
    expect(await screen.findByRole('alert')).toHaveTextContent(
      'Could not load the pools',
    );
  });
});
