import { renderInTestApp } from '@backstage/frontend-test-utils';
import { screen } from '@testing-library/react';
import { ChosenSignInPage } from './ChosenSignInPage';
import { oidcAuthApiRef } from './oidcAuthApi';

const signedOut = {
  getAccessToken: async () => '',
  getIdToken: async () => '',
  getProfile: async () => undefined,
  getBackstageIdentity: async () => undefined,
  signIn: async () => {},
  signOut: async () => {},
  sessionState$: jest.fn(),
};

// App.test.tsx has the other choice.
test('a visitor of a shared portal signs in at the organisation and cannot be a guest', async () => {
  renderInTestApp(<ChosenSignInPage onSignInSuccess={() => {}} />, {
    apis: [[oidcAuthApiRef, signedOut]],
    config: {
      app: { title: 'Test', baseUrl: 'http://localhost', signIn: 'oidc' },
    },
  });

  expect(
    await screen.findByRole('button', { name: 'Sign In' }),
  ).toBeInTheDocument();
  expect(
    screen.queryByRole('button', { name: 'Enter' }),
  ).not.toBeInTheDocument();
});
