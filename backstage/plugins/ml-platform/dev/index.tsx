/** The job pages over fixtures, without a backend: `yarn start` in this folder. */
import {
  ApiBlueprint,
  createFrontendModule,
} from '@backstage/frontend-plugin-api';
import { createDevApp } from '@backstage/frontend-dev-utils';
import plugin from '../src';
import { jobApiRef } from '../src/api';
import { FakeJobApi } from '../src/__testUtils__';

const fixtures = createFrontendModule({
  pluginId: 'ml-platform',
  extensions: [
    ApiBlueprint.make({
      params: defineParams =>
        defineParams({
          api: jobApiRef,
          deps: {},
          factory: () => new FakeJobApi(),
        }),
    }),
  ],
});

createDevApp({ features: [plugin, fixtures] });
