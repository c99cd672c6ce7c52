import {
  PageBlueprint,
  createFrontendModule,
} from '@backstage/frontend-plugin-api';

const homePage = PageBlueprint.make({
  name: 'start',
  params: {
    path: '/',
    loader: async () => {
      const { Navigate } = await import('react-router-dom');
      return <Navigate to="/jobs" replace />;
    },
  },
});

/** Visitors of the bare address arrive at their training jobs. */
export const homeModule = createFrontendModule({
  pluginId: 'app',
  extensions: [homePage],
});
