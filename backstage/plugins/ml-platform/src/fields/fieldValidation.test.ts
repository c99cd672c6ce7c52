import { pools, workload } from '@internal/plugin-ml-platform-common/fixtures';
import { problemsOf } from './WorkloadPicker/problemOf';
import { presetLabel } from './WorkloadPicker/PresetTooLarge';
import { tooManyFor, workersAsked } from './workers';

const thorough = workload.presets[1];
const machine = { ...pools[0], max_workers: 2 };
const training = { workload: workload.name, preset: thorough.name };

describe('a parameter', () => {
  it.each([
    ['generations', 0, 'Generations must be 1 to 10000, got 0'],
    ['generations', 2.7, 'Generations must be a whole number, got 2.7'],
    ['generations', 'many', 'Generations must be a whole number, got many'],
    ['sigma', 0, 'Initial step must be above 0, at most 1, got 0'],
    [
      'sigma',
      '0,05',
      'Initial step must be a number, such as 0.05 or 1e-3, got 0,05',
    ],
  ])('%s of %p is refused in words', (name, value, problem) => {
    expect(problemsOf(workload, { parameters: { [name]: value } })).toEqual([
      problem,
    ]);
  });

  it('within its bounds, or left out, is fine', () => {
    expect(problemsOf(workload, { parameters: { sigma: 0.0001 } })).toEqual([]);
  });
});

describe('workers', () => {
  it('are the preset’s unless the form has a number of its own', () => {
    const asked = (workers?: number) =>
      tooManyFor(machine, workersAsked({ training, workers }, [workload]));
    expect(asked()).toBe(
      'The preset Thorough asks for 8 workers, This machine takes at most 2 workers: enter a smaller number of workers below, or choose another pool',
    );
    expect(asked(3)).toMatch(/^You ask for 3 workers, /);
    expect(asked(2)).toBeUndefined();
  });

  it('that no pool has are told beside the preset', () => {
    expect(presetLabel(thorough, [machine])).toBe(
      'Thorough (too many workers for any pool here)',
    );
    expect(presetLabel(thorough, pools)).toBe('Thorough');
  });
});
