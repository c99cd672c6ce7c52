import { Alert } from '@backstage/ui';
import { Pool, Preset } from '@internal/plugin-ml-platform-common';
import { counted } from '../../format';
import { isTooLarge, mostWorkers } from '../workers';

/** A preset's name, and whether it is more than can be had here. */
export function presetLabel(preset: Preset, pools?: Pool[]): string {
  return isTooLarge(preset, pools)
    ? `${preset.title} (too many workers for any pool here)`
    : preset.title;
}

/** Says on the first page what the second one would refuse. */
export function PresetTooLarge(props: { preset?: Preset; pools?: Pool[] }) {
  const { preset, pools = [] } = props;
  if (!preset || !isTooLarge(preset, pools)) return null;
  const most = counted(mostWorkers(pools), 'worker');
  return (
    <Alert
      status="warning"
      icon
      title={`${preset.title} asks for ${counted(
        preset.workers,
        'worker',
      )}, no pool that is available takes more than ${most}`}
      description="Enter a smaller number of workers on the next page, or choose another preset."
    />
  );
}
