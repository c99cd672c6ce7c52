export interface Config {
  app: {
    /**
     * How people enter: as the one guest of a portal that nobody else can reach, or by the OpenID
     * Connect provider of `auth.providers.oidc`.
     * @visibility frontend
     */
    signIn?: 'guest' | 'oidc';
  };
}
