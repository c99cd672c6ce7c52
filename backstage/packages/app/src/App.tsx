import { createApp } from '@backstage/frontend-defaults';
import { homeModule } from './home';
import { navigationModule } from './navigation';
import { signInModule } from './signIn';

// All other features are discovered in package.json, see `app.packages` in app-config.yaml.
export default createApp({
  features: [navigationModule, homeModule, signInModule],
});
