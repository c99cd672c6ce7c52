import { createFrontendPlugin } from '@backstage/frontend-plugin-api';

/** The job pages, entity cards and form fields of the ML Platform. */
export const mlPlatformPlugin = createFrontendPlugin({
  pluginId: 'ml-platform',
  extensions: [],
});
