/**
 * A service that holds the fixtures, for a portal without the platform: `yarn start` here, then
 * `ML_PLATFORM_URL=http://127.0.0.1:27008 scripts/start-backstage.sh` in the repository.
 */
import { jobs } from '@internal/plugin-ml-platform-common/fixtures';
import { FakeJobService } from '../src/testing/FakeJobService';

async function main() {
  const service = await FakeJobService.start(27008);
  service.changes = after => ({
    cursor: '1',
    reset: after === '',
    upserts: jobs.map(job => ({
      apiVersion: 'backstage.io/v1alpha1',
      kind: 'Resource',
      metadata: {
        name: job.id,
        annotations: {
          'ml-platform/job-id': job.id,
          'backstage.io/managed-by-location': 'url:https://fixtures.invalid/',
          'backstage.io/managed-by-origin-location':
            'url:https://fixtures.invalid/',
        },
      },
      spec: { type: 'training-job', owner: `group:default/${job.team}` },
    })),
    deletes: [],
  });
  let step = 0;
  setInterval(() => {
    step += 1;
    // To those who listen for events a line with a colon is a comment.
    service.send(`: step ${step} of the training is done\n`);
  }, 1_000);
}

main();
