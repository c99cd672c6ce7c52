import { SignInPage } from '@backstage/core-components';
import { configApiRef, useApi } from '@backstage/frontend-plugin-api';
import { SignInPageProps } from '@backstage/plugin-app-react';
import { oidcAuthApiRef } from './oidcAuthApi';

/** What `app.signIn` says: the organisation's account, or the guest of a portal on one machine. */
export const ChosenSignInPage = (props: SignInPageProps) => {
  const chosen = useApi(configApiRef).getOptionalString('app.signIn');

  if (chosen !== 'oidc') {
    return <SignInPage {...props} providers={['guest']} />;
  }
  return (
    <SignInPage
      {...props}
      auto
      provider={{
        id: 'oidc',
        title: 'Your organisation',
        message: 'Sign in with your account of the organisation',
        apiRef: oidcAuthApiRef,
      }}
    />
  );
};
