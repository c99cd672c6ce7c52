export interface Config {
  mlPlatform: {
    /**
     * Address of the ML Platform service, as the backend reaches it.
     * @visibility backend
     */
    baseUrl: string;
    catalog?: {
      /**
       * How often the service is asked for new catalog entities when it does not announce them itself.
       * Default: 10 seconds.
       * @visibility backend
       */
      pollSeconds?: number;
    };
  };
}
