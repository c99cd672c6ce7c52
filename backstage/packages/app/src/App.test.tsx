import { render, screen } from '@testing-library/react';
import App from './App';

test('a visitor is asked to sign in', async () => {
  // The loader takes configuration as objects, which the type of process.env does not know.
  Reflect.set(process, 'env', {
    NODE_ENV: 'test',
    APP_CONFIG: [
      {
        context: 'test',
        data: {
          app: { title: 'ML Platform', baseUrl: 'http://localhost' },
          backend: { baseUrl: 'http://localhost' },
        },
      },
    ],
  });
  window.history.replaceState({}, '', '/');

  render(App.createRoot());

  expect(
    await screen.findByRole('button', { name: 'Enter' }, { timeout: 20_000 }),
  ).toBeInTheDocument();
}, 30_000);
